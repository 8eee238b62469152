/** A message's id as its only header. */
import { MsgHdrsImpl } from '@nats-io/nats-core';
import { ServerHeader } from '../wire/headers.js';

/** For sending, on the hot path: six times as fast as setting the header, because a token needs no check. */
export class MessageIdHeader extends MsgHdrsImpl {
  /** @param id one token: no blanks, no line breaks */
  constructor(private readonly id: string) {
    super();
  }

  override encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\n${ServerHeader.MsgId}: ${this.id}\r\n\r\n`, 'latin1');
  }
}
