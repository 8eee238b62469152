/** The events of a shop: the same at every run. Visitors look around unknown, some of them log in, and some come back with another device. */

const PEOPLE = 20_000;
const PAGES = ['Home', 'Boots', 'Jackets', 'Tents', 'Basket', 'Sale'];
const EVENTS_PER_VISIT = 12;
/** So many are in the shop at the same time. */
const VISITORS = 2_000;
const CONTEXT = {
  library: { name: 'analytics.js', version: 'npm:next-1.84.3' },
  locale: 'en-GB',
  timezone: 'Europe/Berlin',
  userAgent:
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  page: {
    path: '/boots',
    referrer: 'https://search.example/',
    title: 'Boots – Northwind Outfitters',
    url: 'https://shop.example/boots',
  },
};

/** The nth event. */
export function eventOf(n: number): Record<string, unknown> {
  const step = Math.floor(n / VISITORS) % EVENTS_PER_VISIT;
  const visit = Math.floor(n / (VISITORS * EVENTS_PER_VISIT)) * VISITORS + (n % VISITORS);
  const person = scatter(visit) % PEOPLE;
  // Three in five log in at some time; every third visit is with another device.
  const isUser = person % 5 < 3;
  const device = scatter(visit + 7) % 3;
  const isLoggedIn = isUser && step >= 4;
  const event = {
    messageId: `bench-${n.toString().padStart(12, '0')}-${scatter(n).toString(36)}`,
    anonymousId: `anon-${person}-${device}`,
    ...(isLoggedIn ? { userId: `user-${person}` } : {}),
    timestamp: new Date(Date.now() - 1_000).toISOString(),
    context: CONTEXT,
  };
  if (step === 4 && isUser) {
    const traits = {
      email: `person-${person}@example.com`,
      plan: person % 2 === 0 ? 'free' : 'club',
      country: 'DE',
    };
    return { ...event, type: 'identify', traits };
  }
  if (step === 11 && isLoggedIn) {
    const properties = {
      order_id: `o-${n}`,
      revenue: 20 + (n % 180),
      currency: 'USD',
      products: [{ sku: `s-${n % 977}`, quantity: 1 }],
    };
    return { ...event, type: 'track', event: 'Order Completed', properties };
  }
  if (step % 3 === 0) {
    const name = PAGES[n % PAGES.length];
    return { ...event, type: 'page', name, properties: { url: `https://shop.example/${name}`, title: name } };
  }
  const properties = {
    product_id: `p-${scatter(n) % 5_000}`,
    price: (n % 400) + 0.99,
    category: 'Boots',
    position: n % 40,
  };
  return {
    ...event,
    type: 'track',
    event: step % 2 === 0 ? 'Product Viewed' : 'Product List Viewed',
    properties,
  };
}

/** Numbers that follow no pattern (Knuth's multiplicative hash). */
function scatter(n: number): number {
  return Math.imul(n + 1, 2_654_435_761) >>> 1;
}
