/** A page's own script in docs/operate/customer-events.md; `segment-browser.test.ts` runs it in Chromium, on a page that sets the variables. */
/* global AnalyticsNext, writeKey, cdnURL, options */
const analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey, cdnURL }, options);
analytics.page('Boots');
analytics.track('Product Viewed', { sku: 'boot-1' });
analytics.identify('u-1', { email: 'ann@example.com', plan: 'pro' });
analytics.track('Order Completed', { revenue: 25 });
