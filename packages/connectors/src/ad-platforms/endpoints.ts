/** Where the platforms are. The version is part of the address: platforms retire versions faster than programs are deployed. */
export interface PlatformEndpoints {
  meta: string;
  google: string;
  googleOauth: string;
  tiktok: string;
  snapchat: string;
  snapchatOauth: string;
}

export const DEFAULT_PLATFORM_ENDPOINTS: Readonly<PlatformEndpoints> = Object.freeze({
  meta: 'https://graph.facebook.com/v26.0',
  google: 'https://googleads.googleapis.com/v26',
  googleOauth: 'https://oauth2.googleapis.com/token',
  tiktok: 'https://business-api.tiktok.com/open_api/v1.3',
  snapchat: 'https://adsapi.snapchat.com/v1',
  snapchatOauth: 'https://accounts.snapchat.com/login/oauth2/access_token',
});
