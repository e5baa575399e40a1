/**
 * Servers and clients of others that some tests start where they are installed,
 * by Debian package; a test of one that is missing skips and names it. Run as a
 * program this installs what is missing, as root with apt-get, and ends with 1
 * if something still is: then tests would skip.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { hasProgram } from './real-server.ts';

/** Whether it is installed, by package. */
const packages: Readonly<Record<string, () => boolean>> = {
  'bind9-dnsutils': () => hasProgram('dig'),
  chromium: () => hasProgram('chromium'),
  curl: () => hasProgram('curl'),
  'dnsmasq-base': () => hasProgram('dnsmasq'),
  haproxy: () => hasProgram('haproxy'),
  'libnginx-mod-stream': () => existsSync('/usr/lib/nginx/modules/ngx_stream_module.so'),
  'mariadb-server': () => hasProgram('mariadbd'),
  memcached: () => hasProgram('memcached'),
  'nghttp2-client': () => hasProgram('nghttp') && hasProgram('h2load'),
  nginx: () => hasProgram('nginx'),
  openssl: () => hasProgram('openssl'),
  postgresql: () => existsSync('/usr/lib/postgresql') && readdirSync('/usr/lib/postgresql').length > 0,
  'python3-aiosmtpd': () => hasProgram('aiosmtpd'),
  'redis-server': () => hasProgram('redis-server'),
};

function missing(): string[] {
  return Object.keys(packages).filter((name) => !packages[name]!());
}

/** RUNLEVEL: Debian starts what it installs, but not at this one. */
function install(names: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const args of [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', ...names]]) spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env });
}

if (import.meta.main) {
  const wanted = missing();
  if (wanted.length > 0) {
    console.log(`installing ${wanted.join(', ')}, for the tests that start them`);
    install(wanted);
  }
  const left = missing();
  if (left.length > 0) {
    console.error(`not installed, so tests would skip: ${left.join(', ')}`);
    process.exitCode = 1;
  }
}
