/** Reads the answers of outside services, none of which may be larger than what is expected of it. */

export class AnswerTooLargeError extends Error {
  constructor(maxBytes: number) {
    super(`the answer is larger than ${maxBytes} bytes`);
    this.name = 'AnswerTooLargeError';
  }
}

/**
 * The body as text, unpacked. Whatever is left of a larger one is not read.
 * @param maxBytes of the unpacked body
 * @throws AnswerTooLargeError
 */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body !== null) {
    for await (const chunk of response.body) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new AnswerTooLargeError(maxBytes);
      chunks.push(chunk);
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}
