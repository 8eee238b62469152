/** Lets a request meet its fault before its route sees it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ActiveFault, Faults } from './faults.js';
import type { PlatformAdapter } from './platforms/adapter.js';
import type { SandboxPlatform } from './platforms/platforms.js';

export function faultHook(faults: Faults, adapters: ReadonlyMap<SandboxPlatform, PlatformAdapter>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    for (const [platform, adapter] of adapters) {
      const path = request.url.split('?', 1)[0] ?? '';
      const isToken = path === adapter.tokenPath;
      if (!isToken && !path.startsWith(`${adapter.prefix}/`)) continue;
      const fault = faults.take({ platform, path, laterPage: adapter.isLaterPage(request), isToken });
      if (fault !== undefined) return answer(fault, adapter, reply);
    }
    return undefined;
  };
}

async function answer(
  fault: ActiveFault,
  adapter: PlatformAdapter,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  switch (fault.kind) {
    case 'rate_limit':
      return adapter.sendRateLimit(reply, fault.retryAfterMs);
    case 'server_error':
    case 'page_failure':
      return adapter.sendServerError(reply);
    case 'expired_token':
      return adapter.sendExpiredToken(reply);
    case 'permission':
      return adapter.sendPermission(reply);
    case 'broken_json':
      return reply.type('application/json').send('{"data": [{"id": "12');
    case 'answer':
      void reply.headers(fault.headers);
      if (fault.body === undefined) return undefined;
      return reply.code(fault.status).send(fault.body);
    case 'slow':
      await delay(fault.delayMs);
      return undefined;
    case 'disconnect':
      reply.hijack();
      reply.raw.destroy();
      return reply;
  }
}
