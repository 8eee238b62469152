/** Segment's library for servers in docs/operate/customer-events.md; `guide-examples.test.ts` sends an event with it. */
import { Analytics } from '@segment/analytics-node';

/** @param host for example `https://events.example.com` */
export async function sendOrder(writeKey: string, host: string): Promise<void> {
  const analytics = new Analytics({ writeKey, host });
  analytics.track({ userId: 'u-1', event: 'Order Completed', properties: { revenue: 25 } });
  await analytics.closeAndFlush();
}
