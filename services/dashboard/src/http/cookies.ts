/** The two cookies: of a session, and of a sign-in that is on its way to the provider and back. Scripts read neither. */
import type { FastifyReply, FastifyRequest } from 'fastify';

/** `__Host-` demands TLS, and then nobody but this very host sets or reads it. */
function nameOf(name: 'stratum' | 'stratum-sign-in', secure: boolean): string {
  if (secure) return `__Host-${name}`;
  return name === 'stratum' ? 'stratum-dashboard' : name;
}

function cookieOf(request: FastifyRequest, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=');
    if (key === name) return value;
  }
  return undefined;
}

/** `Lax`: it comes along when the provider sends the browser back, and with no request of another page that changes anything. */
function setCookie(reply: FastifyReply, secure: boolean, name: string, value: string, expiresAt: Date): void {
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', `Expires=${expiresAt.toUTCString()}`];
  reply.header('set-cookie', [`${name}=${value}`, ...attributes, ...(secure ? ['Secure'] : [])].join('; '));
}

/** The name of a session's cookie. */
export function sessionCookie(secure: boolean): string {
  return nameOf('stratum', secure);
}

/** The token of the session that a request brings. */
export function sessionOf(request: FastifyRequest, secure: boolean): string | undefined {
  return cookieOf(request, sessionCookie(secure));
}

export function setSession(reply: FastifyReply, secure: boolean, token: string, expiresAt: Date): void {
  setCookie(reply, secure, sessionCookie(secure), token, expiresAt);
}

export function clearSession(reply: FastifyReply, secure: boolean): void {
  setSession(reply, secure, '', new Date(0));
}

/** What the sign-in that a request comes back from has begun with. */
export function signInOf(request: FastifyRequest, secure: boolean): string | undefined {
  return cookieOf(request, nameOf('stratum-sign-in', secure));
}

export function setSignIn(reply: FastifyReply, secure: boolean, value: string, expiresAt: Date): void {
  setCookie(reply, secure, nameOf('stratum-sign-in', secure), value, expiresAt);
}

export function clearSignIn(reply: FastifyReply, secure: boolean): void {
  setSignIn(reply, secure, '', new Date(0));
}
