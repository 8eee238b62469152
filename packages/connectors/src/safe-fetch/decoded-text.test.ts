import { Readable } from 'node:stream';
import { text as textFrom } from 'node:stream/consumers';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { textOf, unpacked } from './decoded-text.js';

const russian = Buffer.from([0xcc, 0xe0, 0xe3, 0xe0, 0xe7, 0xe8, 0xed]);
const page = (head: string, title: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`<html><head>${head}<title>`), title, Buffer.from('</title>')]);

test.each([
  ['the header', page('', russian), 'text/html; charset=windows-1251', 'Магазин'],
  ['a quoted header', page('', russian), 'text/html; charset="cp1251"', 'Магазин'],
  ['meta charset', page('<meta charset="windows-1251">', russian), 'text/html', 'Магазин'],
  [
    'meta http-equiv',
    page('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', russian),
    'text/html',
    'Магазин',
  ],
  [
    'the header before meta',
    page('<meta charset="utf-8">', russian),
    'text/html;charset=windows-1251',
    'Магазин',
  ],
  [
    'a late meta',
    page(`<!--${' '.repeat(3_000)}--><meta charset="koi8-r">`, Buffer.from([0xed, 0xc1])),
    'text/html',
    'Ма',
  ],
  [
    'the XML declaration',
    Buffer.concat([Buffer.from('<?xml version="1.0" encoding="windows-1251"?>'), page('', russian)]),
    'application/xhtml+xml',
    'Магазин',
  ],
  ['Chinese', page('<meta charset=gb2312>', Buffer.from([0xd6, 0xd0, 0xce, 0xc4])), 'text/html', '中文'],
  [
    'no meta of a comment',
    page('<!-- <meta charset="windows-1251"> -->', Buffer.from('ä')),
    'text/html',
    'ä',
  ],
  ['UTF-8 where nothing is said', page('', Buffer.from('Größe')), 'text/html', 'Größe'],
  ['windows-1252 where it is not UTF-8', page('', Buffer.from('Größe', 'latin1')), 'text/html', 'Größe'],
  ['UTF-8 for a meta of UTF-16', page('<meta charset="utf-16">', Buffer.from('Größe')), 'text/html', 'Größe'],
  ['an unknown label as none', page('<meta charset="klingon">', Buffer.from('Größe')), 'text/html', 'Größe'],
  [
    'the byte order mark first',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('<title>Größe', 'utf16le')]),
    'text/html; charset=windows-1251',
    'Größe',
  ],
  ['Japanese', page('<meta charset=Shift_JIS>', Buffer.from([0x93, 0xfa, 0x96, 0x7b])), 'text/html', '日本'],
  ['no mark in JSON', Buffer.from('\uFEFF{"a":"Größe"}'), 'application/json', '{"a":"Größe"}'],
])('characters are read by %s', (_name, bytes, contentType, expected) => {
  expect(textOf(bytes, contentType)).toContain(expected);
  expect(textOf(bytes, contentType)).not.toContain('\uFEFF');
});

test.each([
  ['gzip', gzipSync('text')],
  ['X-GZIP', gzipSync('text')],
  ['deflate', deflateSync('text')],
  ['deflate', deflateRawSync('text')],
  ['deflate', Buffer.alloc(0)],
  ['br', brotliCompressSync('text')],
  ['gzip, br', brotliCompressSync(gzipSync('text'))],
  ['identity', Buffer.from('text')],
])('the encoding %s is undone', async (name, bytes) => {
  const pieces = Readable.from([...bytes].map((byte) => Buffer.from([byte])));
  expect(await textFrom(unpacked(pieces, name))).toBe(bytes.length === 0 ? '' : 'text');
});

test.each(['gzip', 'deflate', 'br'])('what is no %s at all is an error', async (name) => {
  const stream = unpacked(Readable.from([Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])]), name);
  await expect(textFrom(stream)).rejects.toBeInstanceOf(Error);
});

test('an encoding that nobody knows is named', () => {
  expect(() => unpacked(Readable.from([]), 'compress')).toThrow('"compress"');
});
