/** A process that sends hostile requests, at a low priority: sending them must not take the processors from the API and its honest clients. */
import { connect } from 'node:net';
import { setPriority } from 'node:os';

setPriority(10);

const SILENT_MS = 250;

/** Bytes as they are, and the end of the connection after the answer, or when it has been silent for a while. */
function sendRaw({ port, text }) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(SILENT_MS, () => socket.destroy());
    socket.on('error', () => undefined).on('data', () => socket.destroy());
    socket.once('close', () => resolve('ended'));
    socket.write(text);
  });
}

async function send({ url, method, headers, body }) {
  const response = await fetch(url, { method, headers, body });
  await response.arrayBuffer();
  return response.status;
}

/** Sends a request many times, until a time. */
async function flood({ request, times, atOnce, endAt }) {
  const answers = {};
  let sent = 0;
  const repeat = async () => {
    while (sent < times && Date.now() < endAt) {
      sent++;
      const answer = await ('text' in request ? sendRaw(request) : send(request)).catch(() => 'cut off');
      answers[answer] = (answers[answer] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, repeat));
  return { sent, answers };
}

process.on('message', (wanted) => {
  void flood(wanted).then((report) => process.send(report));
});
