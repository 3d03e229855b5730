/** How the pages' forms are sent, and what else is asked of the server in JSON. */

export const postJson = (address, fields) => sendJson("POST", address, fields);

/**
 * @param {object} [fields] of the body; none where it is left out
 * @param {AbortSignal} [signal] ends the wait for an answer
 * @returns {Promise<{ok: boolean, status?: number, answer: object, words: string, waitMs: number}>} no status where the
 *   server does not answer; words: why it was refused; waitMs: how long to wait before the next try
 */
export async function sendJson(method, address, fields, signal) {
  const body = fields && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) };
  let response;
  try {
    response = await fetch(address, { method, signal, cache: "no-store", ...body });
  } catch {
    const words = "The server does not answer. It is down, or the network to it is.";
    return { ok: false, answer: {}, words, waitMs: 0 };
  }
  const { ok, status, headers } = response;
  const answer = await response.json().catch(() => ({}));
  const words = answer.detail ?? `The server answered with status ${status}.`;
  return { ok, status, answer, words, waitMs: Number(headers.get("Retry-After") ?? 0) * 1000 };
}
