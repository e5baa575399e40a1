/**
 * The metrics page: Prometheus text 0.0.4, read from shared memory when it is
 * asked for; nothing is counted twice to have it. The text comes in chunks
 * with a turn of the loop between them, so a page of 10,000 backends (200,000
 * samples) holds nobody up.
 *
 * Families of ours are written directly: prom-client makes an object and
 * several strings of each sample, and a family in one go. For 10,000 backends
 * that was a turn of 240 ms for one family of 60,000 samples; all 200,000
 * take 70 ms here, no turn over 10 (bench/micro/metrics.ts). prom-client does
 * serve `process_*`, which it also collects.
 */
import { Registry, collectDefaultMetrics } from 'prom-client';
import { yieldToLoop } from '../base/clock.ts';
import { UdpLosses } from '../net/udp-losses.ts';
import type { MetricsSource } from './metrics-source.ts';
import { backendFamilies } from './metrics/backend-families.ts';
import type { Family } from './metrics/family.ts';
import { http2Families } from './metrics/http2-families.ts';
import { listenerFamilies } from './metrics/listener-families.ts';
import { poolFamilies } from './metrics/pool-families.ts';
import { processFamilies } from './metrics/process-families.ts';
import { tierFamilies } from './metrics/tier-families.ts';
import { tlsFamilies } from './metrics/tls-families.ts';
import { udpFamilies } from './metrics/udp-families.ts';
import { ScrapeView } from './metrics/scrape-view.ts';

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** All of ours, in the page's order. */
export const families: readonly Family[] = [...listenerFamilies, ...http2Families, ...udpFamilies, ...tlsFamilies, ...poolFamilies, ...backendFamilies, ...tierFamilies, ...processFamilies];

const perBackend = new Set<Family>(backendFamilies);

/** A chunk is this long or comes from this many rows: one or two milliseconds of work. */
const CHUNK_CHARS = 64 * 1024;
const CHUNK_ROWS = 250;

/** An hour: prom-client's defaults start a loop-delay monitor, whose metric is not shown, so it shall not wake the loop either. */
const MONITOR_PRECISION_MS = 3_600_000;

export class Metrics {
  readonly #source: MetricsSource;
  readonly #process = new Registry();
  readonly #losses = new UdpLosses();

  constructor(source: MetricsSource) {
    this.#source = source;
    collectDefaultMetrics({ register: this.#process, eventLoopMonitoringPrecision: MONITOR_PRECISION_MS });
    for (const { name } of this.#process.getMetricsAsArray()) {
      if (!name.startsWith('process_')) this.#process.removeSingleMetric(name);
    }
  }

  /** The page; `backends: false` leaves the families of single backends out. */
  async *render(options: { readonly backends: boolean }): AsyncGenerator<string, void> {
    const view = await ScrapeView.read(this.#source, options.backends, this.#losses);
    for (const family of families) {
      if (!options.backends && perBackend.has(family)) continue;
      yield* renderFamily(family, view);
    }
    yield await this.#process.metrics();
  }
}

async function* renderFamily(family: Family, view: ScrapeView): AsyncGenerator<string, void> {
  let text = `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n`;
  const put = (suffix: string, labels: string, value: number): void => {
    text += labels === '' ? `${family.name}${suffix} ${value}\n` : `${family.name}${suffix}{${labels}} ${value}\n`;
  };
  const rows = family.rows(view);
  for (let row = 0, since = 0; row < rows; row++) {
    family.put(view, row, put);
    since += 1;
    if (text.length < CHUNK_CHARS && since < CHUNK_ROWS) continue;
    yield text;
    text = '';
    since = 0;
    await yieldToLoop();
  }
  yield text;
}
