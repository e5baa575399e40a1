/** Names in certificates: what Node's one text of them is taken apart to, and what is left out. */
import { describe, expect, it } from 'vitest';
import { alternativeNames, namesOf, subjectText, wildcardOf } from '../../src/net/certificate-names.ts';

const of = (subjectAltName: string | undefined, subject = ''): { subjectAltName: string | undefined; subject: string } => ({ subjectAltName, subject });

describe('alternative names', () => {
  it('are told apart by kind', () => {
    expect(alternativeNames(of('DNS:a.example, DNS:*.b.example, IP Address:192.0.2.1, URI:spiffe://a/b, email:x@y'))).toEqual([
      { kind: 'DNS', value: 'a.example' },
      { kind: 'DNS', value: '*.b.example' },
      { kind: 'IP Address', value: '192.0.2.1' },
      { kind: 'URI', value: 'spiffe://a/b' },
      { kind: 'email', value: 'x@y' },
    ]);
  });

  it('that pass for several are one, and cannot pass', () => {
    expect(alternativeNames(of('URI:"http://a/\\", DNS:evil.example", DNS:a.example'))).toEqual([{ kind: 'DNS', value: 'a.example' }]);
    expect(alternativeNames(of('DNS:"a, DNS:evil.example"'))).toEqual([]);
    expect(alternativeNames(of('URI:"http://a/,b"'))).toEqual([{ kind: 'URI', value: 'http://a/,b' }]);
  });

  it('with letters that end a line or a field are left out', () => {
    expect(alternativeNames(of('URI:"http://a/\\r\\nX: y", DNS:"\\u0000a", DNS:ok'))).toEqual([{ kind: 'DNS', value: 'ok' }]);
  });

  it('in a form that is not known end the list', () => {
    expect(alternativeNames(of('DNS:a, ???'))).toEqual([{ kind: 'DNS', value: 'a' }]);
  });
});

describe('the names of a certificate', () => {
  it('are those of hosts and addresses, in lower case', () => {
    expect(namesOf(of('DNS:A.Example., DNS:a.example, IP Address:2001:DB8:0:0:0:0:0:1, URI:x:y'))).toEqual(['a.example', '2001:db8:0:0:0:0:0:1']);
  });

  it('are the common name where there is no alternative, and only there', () => {
    expect(namesOf(of(undefined, 'O=x\nCN=Host.example'))).toEqual(['host.example']);
    expect(namesOf(of('URI:x:y', 'CN=host.example'))).toEqual([]);
    expect(namesOf(of(undefined, 'CN=Some Person'))).toEqual([]);
  });
});

it('a wildcard stands for the first label', () => {
  expect(['a.b.c', 'b.c', 'c', '.c', ''].map(wildcardOf)).toEqual(['*.b.c', '*.c', '', '', '']);
});

it('a subject is written with its most particular part first', () => {
  expect(subjectText({ subject: 'C=DE\nO=A\\, B\nCN=x' })).toBe('CN=x,O=A\\, B,C=DE');
});
