/** The text of an answer: its content encodings undone, whether they were asked for or not, and its characters read as browsers do. */
import { Duplex, pipeline, type Readable } from 'node:stream';
import * as zlib from 'node:zlib';

const ZLIB_METHOD = 8;

/** Some servers leave out the frame of zlib that "deflate" means (RFC 9110, 8.4.1.2); browsers read both. */
async function* inflated(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return;
  const { value } = first;
  const isFramed = ((value[0] ?? 0) & 0x0f) === ZLIB_METHOD;
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  yield* pipeline(whole, isFramed ? zlib.createInflate() : zlib.createInflateRaw(), () => undefined);
}

type Unpacker = () => NodeJS.ReadWriteStream & Readable;

const UNPACKERS = new Map<string, Unpacker>([
  ['gzip', () => zlib.createGunzip()],
  ['x-gzip', () => zlib.createGunzip()],
  ['deflate', () => Duplex.from(inflated)],
  ['br', () => zlib.createBrotliDecompress()],
]);
if ('createZstdDecompress' in zlib) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- newer versions of Node.js have it, and the types here are of an older one
  UNPACKERS.set('zstd', zlib.createZstdDecompress as Unpacker);
}

/** An encoding that nobody asked for and nobody knows. */
export class EncodingError extends Error {
  readonly code = 'unknown_encoding';
}

/** @param encodings of the header, in the order in which they were applied. @throws EncodingError */
export function unpacked(body: Readable, encodings: string | undefined): Readable {
  let stream = body;
  const names = (encodings ?? '').split(',').map((name) => name.trim().toLowerCase());
  for (const name of names.toReversed()) {
    if (name === '' || name === 'identity') continue;
    const unpacker = UNPACKERS.get(name);
    if (unpacker === undefined)
      throw new EncodingError(`the answer is encoded as ${JSON.stringify(name.slice(0, 20))}`);
    // An error ends the last stream, which is read.
    stream = pipeline(stream, unpacker(), () => undefined);
  }
  return stream;
}

/**
 * https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding. A browser that meets a later `<meta>` while it parses begins
 * anew with it, so more is read here than the first 1,024 bytes.
 */
const PRESCAN_BYTES = 65_536;
const XML = /^<\?xml\b[^>]*?\bencoding\s*=\s*["']([^"']+)/i;
const META = /<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([^"'\s/>;]+)/i;

/**
 * https://html.spec.whatwg.org/#determining-the-character-encoding: byte order mark, header, `<meta>`. A text that names none is UTF-8 where it can
 * be, else windows-1252.
 */
export function textOf(bytes: Buffer, contentType: string | undefined): string {
  const mark = markOf(bytes);
  if (mark !== undefined) return new TextDecoder(mark).decode(bytes);
  const named = /charset\s*=\s*["']?([^"';\s]+)/i.exec(contentType ?? '')?.[1];
  const isHtml = contentType === undefined || /html|xml/i.test(contentType);
  const decoder = decoderOf(named) ?? (isHtml ? decoderOf(metaOf(bytes)) : undefined);
  if (decoder !== undefined) return decoder.decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // One that was cut off in the middle of a character is UTF-8, too.
    const text = new TextDecoder().decode(bytes);
    const isCut = /^[^\uFFFD]*\uFFFD{1,3}$/.test(text);
    return isHtml && !isCut ? new TextDecoder('windows-1252').decode(bytes) : text;
  }
}

function markOf(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : undefined;
}

function metaOf(bytes: Buffer): string | undefined {
  const start = bytes
    .subarray(0, PRESCAN_BYTES)
    .toString('latin1')
    .replaceAll(/<!--[\s\S]*?-->/g, '');
  const name = (META.exec(start) ?? XML.exec(start))?.[1]?.toLowerCase();
  // Bytes in which this can be read are not in UTF-16.
  if (name?.startsWith('utf-16') === true) return 'utf-8';
  return name === 'x-user-defined' ? 'windows-1252' : name;
}

function decoderOf(label: string | undefined): InstanceType<typeof TextDecoder> | undefined {
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}
