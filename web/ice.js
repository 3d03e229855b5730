/**
 * STUN and TURN servers: asked of the server once, and again before their credentials end. Where the page says that
 * there are none, nothing is asked, and no picture is a moment later for it.
 */

/** The page's own mark; a page without it (another site's, say) has no servers to ask for. */
const MARK = 'meta[name="camgate-ice-servers"]';
/** A direct path needs none of them, so a slow answer keeps nobody waiting. */
const PATIENCE_MS = 3_000;
/** Credentials are asked for anew so long before their end, as a connection takes a moment to be made. */
const MARGIN_MS = 30_000;

/** For tries: `?ice=relay` in the page's address takes TURN servers only, `?ice=direct` none of them. */
const wish = new URLSearchParams(location.search).get("ice");

let known = null;
let goodUntil = 0;
let asking = null;

/** @returns {RTCConfiguration | Promise<RTCConfiguration>} what a peer connection is made with; no promise where known */
export function iceConfiguration(endpoint) {
  if (wish === "direct" || !document.querySelector(MARK)) return configuration([]);
  if (known && Date.now() < goodUntil) return configuration(known);
  asking ??= ask(endpoint).finally(() => (asking = null));
  return asking.then(configuration);
}

function configuration(iceServers) {
  return wish === "relay" ? { iceServers, iceTransportPolicy: "relay" } : { iceServers };
}

/** Whether this page was told to use TURN servers only. */
export const isRelayOnly = wish === "relay";

/** Takes the servers that an answer names, with credentials that are newer than those known. */
export function learnServers(response) {
  const servers = readLinks(response.headers.get("Link") ?? "");
  if (servers.length) remember(servers);
}

/** As `learnServers`, from the WebSocket. */
export function learnServerList(servers, maxAgeS) {
  remember(servers.map((server) => ({ ...server, maxAgeS })));
}

function remember(servers) {
  const lifetimes = servers.map(({ maxAgeS }) => maxAgeS).filter((seconds) => seconds > 0);
  const lifetimeMs = Math.min(...lifetimes) * 1000; // Infinity where none of them ends
  known = servers.map(({ maxAgeS, ...server }) => server);
  goodUntil = Date.now() + lifetimeMs - Math.min(MARGIN_MS, lifetimeMs / 2);
}

async function ask(endpoint) {
  try {
    learnServers(await fetch(endpoint, { method: "OPTIONS", signal: AbortSignal.timeout(PATIENCE_MS) }));
  } catch {
    // The offer will show whether the server is there; without these servers there may still be a path.
  }
  return known ?? [];
}

/**
 * Link headers (RFC 8288) of the relation ice-server, as RTCIceServer and how long it is good for.
 * @param {string} header values with commas between them
 */
export function readLinks(header) {
  const servers = [];
  for (const [, url, rest] of header.matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))*)/g)) {
    const parameters = {};
    for (const [, name, quoted, token] of rest.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))/g)) {
      parameters[name.toLowerCase()] ??= token ?? quoted.replace(/\\(.)/g, "$1");
    }
    if (parameters.rel !== "ice-server") continue;
    const { username, credential } = parameters;
    const login = username === undefined ? {} : { username, credential };
    servers.push({ urls: [url], ...login, maxAgeS: Number(parameters["max-age"]) || 0 });
  }
  return servers;
}
