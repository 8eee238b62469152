/** How people write the ids of ad accounts, and how the platforms' APIs do. */
import type { PlatformName } from './connector.js';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** The id as the API takes it; throws with what to give when it is none. */
export function parseAccountId(platform: PlatformName, text: string): string {
  const id = text.trim();
  switch (platform) {
    case 'meta':
      return digits(
        id.replace(/^act_/, ''),
        'An ad account of Meta has digits only, for example act_1234567890.',
      );
    case 'google':
      return digits(
        id.replaceAll('-', ''),
        'A customer of Google Ads has ten digits, for example 123-456-7890.',
        10,
      );
    case 'tiktok':
      return digits(id, 'An advertiser of TikTok has digits only.');
    case 'snapchat':
      if (UUID.test(id.toLowerCase())) return id.toLowerCase();
      throw new Error(
        'An ad account of Snapchat is a UUID, for example 8adc3db7-8148-4fbf-999c-8d2266369d74.',
      );
  }
}

function digits(id: string, advice: string, length?: number): string {
  if (/^\d{1,32}$/.test(id) && (length === undefined || id.length === length)) return id;
  throw new Error(advice);
}
