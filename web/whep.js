/**
 * One WHEP session (draft-ietf-wish-whep): a peer connection that only receives, and the resource that stands for it
 * on the server. It knows nothing of retries, pages or camera states.
 */

import { iceConfiguration, isRelayOnly, learnServers } from "./ice.js";

/** How long the server may hold the offer while it waits for the camera. */
const CAMERA_WAIT_S = 5;
const ANSWER_TIMEOUT_MS = (CAMERA_WAIT_S + 10) * 1000;
/** From answer to first DTLS byte takes milliseconds; after this long no candidate can be reached. */
const PATH_TIMEOUT_MS = 10_000;
/** Browsers say "disconnected" after 2.5 s without an answer to their checks, and often recover. */
const INTERRUPTION_MS = 5_000;
/** How long a closing session may take to tell the server, while its last pictures still come. */
const GOODBYE_MS = 500;

/**
 * What was tried to get media through.
 * @typedef {{addresses: string[], relayErrors: {url: string, code: number, text: string}[], relays: number,
 *   isRelayed: boolean, isRelayOnly: boolean, isLocalRefused: boolean}} TriedPath
 *   `addresses`: the server's, as "UDP 192.0.2.7:8108"; `relays`: TURN servers known; `isRelayed`: one of them has let us
 *   in; `isLocalRefused`: the person or the browser does not let this page reach the local network
 */

/** Why a session could not be opened or has ended. `kind` is what the page chooses its words by. */
export class SessionProblem extends Error {
  /**
   * @param {"refused" | "unreachable" | "no-path" | "no-keys" | "interrupted" | "closed" | "unusable"} kind
   * @param {string} message a sentence for the person at the page
   * @param {{status?: number, code?: string, retryAfterMs?: number, path?: TriedPath}} facts
   *   `code`: what the server calls the problem, such as `camera-offline`
   */
  constructor(kind, message, { status = 0, code = "", retryAfterMs = 0, path = null } = {}) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.path = path;
  }
}

/**
 * Events: `connected`; `interrupted` (may recover by itself: `connected` follows); `ended` (its `problem` says why,
 * nothing follows). `track` carries the media stream.
 */
export class WhepSession extends EventTarget {
  peerConnection;
  /** What the STUN and TURN servers said against us. @type {Map<string, {code: number, text: string}>} */
  #relayErrors = new Map();
  #resource = null;
  #closed = false;
  #timer = 0;
  #candidates = [];
  #relays = 0;
  /** Whether a TURN server has let us in. */
  #isRelayed = false;

  /**
   * Sends the offer and takes the answer.
   * @param {string} endpoint
   * @param {boolean} sound whether sound is asked for, too; it comes where the camera has any
   * @throws {SessionProblem}
   */
  async open(endpoint, sound) {
    let configuration = iceConfiguration(endpoint);
    if (configuration instanceof Promise) configuration = await configuration;
    if (this.#closed) return;
    const connection = new RTCPeerConnection(configuration);
    const urls = configuration.iceServers.flatMap((server) => server.urls);
    this.#relays = urls.filter((url) => /^turns?:/i.test(url)).length;
    this.peerConnection = connection;
    const stream = new MediaStream();
    for (const kind of sound ? ["video", "audio"] : ["video"]) {
      connection.addTransceiver(kind, { direction: "recvonly" });
    }
    connection.ontrack = ({ track, receiver }) => {
      // Play each frame as it comes; the server sends evenly and repairs losses itself. Both tracks, or they are apart.
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      stream.addTrack(track);
      this.#tell("track", { stream });
    };
    connection.onconnectionstatechange = () => this.#follow(connection.connectionState);
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.type === "relay") this.#isRelayed = true;
    };
    connection.onicecandidateerror = ({ url, errorCode, errorText }) => {
      if (url) this.#relayErrors.set(url, { code: errorCode, text: errorText });
    };
    await connection.setLocalDescription();
    // Candidates are not gathered first: the server is ICE-lite and learns our address from our first check.
    const answer = await this.#exchange(endpoint, connection.localDescription.sdp);
    if (this.#closed) return;
    this.#candidates = videoAddresses(answer);
    try {
      await connection.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      if (this.#closed) return;
      throw new SessionProblem("unusable", `This browser could not use the server's answer: ${error.message}`);
    }
    this.#watchForGoodbye();
    if (connection.connectionState !== "connected") {
      this.#later(PATH_TIMEOUT_MS, () => this.#endWithoutPath());
    }
  }

  /** Ends the session here and on the server; safe at any time, in a closing page as well. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    // The resource first: the connection's own goodbye is faster, and after it the server knows no such resource.
    const patience = new Promise((resolve) => setTimeout(resolve, GOODBYE_MS));
    Promise.race([this.#releaseResource(), patience]).then(() => this.peerConnection?.close());
  }

  async #exchange(endpoint, offer) {
    const response = await this.#post(endpoint, offer);
    learnServers(response);
    const location = response.headers.get("Location");
    if (response.ok && location) this.#resource = new URL(location, response.url).href;
    if (this.#closed) this.#releaseResource(); // closed while the offer was on its way
    if (!response.ok) throw await problemFrom(response);
    return response.text();
  }

  async #post(endpoint, offer) {
    const address = new URL(endpoint);
    address.searchParams.set("wait", CAMERA_WAIT_S);
    try {
      return await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: offer,
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
    } catch {
      throw new SessionProblem("unreachable", "The server does not answer.");
    }
  }

  async #releaseResource() {
    if (!this.#resource) return;
    const resource = this.#resource;
    this.#resource = null;
    try {
      // keepalive: the request outlives a page that is going away.
      await fetch(resource, { method: "DELETE", keepalive: true });
    } catch {
      // A server that can't be reached drops the viewer by itself after a silence.
    }
  }

  #follow(state) {
    if (this.#closed) return;
    if (state === "connected") {
      clearTimeout(this.#timer);
      this.#tell("connected");
    } else if (state === "disconnected") {
      this.#tell("interrupted");
      this.#later(INTERRUPTION_MS, () => this.#end(new SessionProblem("interrupted", "The connection was lost.")));
    } else if (state === "failed") {
      this.#endWithoutPath();
    }
  }

  /** No check was answered; or they were, and the keys for what is sent could not be agreed on. */
  async #endWithoutPath() {
    const { iceConnectionState } = this.peerConnection;
    if (["connected", "completed"].includes(iceConnectionState)) {
      this.#end(new SessionProblem("no-keys", "No keys for the video could be agreed on."));
      return;
    }
    const path = {
      addresses: this.#candidates,
      relayErrors: [...this.#relayErrors].map(([url, error]) => ({ url, ...error })),
      relays: this.#relays,
      isRelayed: this.#isRelayed,
      isRelayOnly,
      isLocalRefused: await isLocalNetworkRefused(this.#candidates),
    };
    this.#end(new SessionProblem("no-path", "The server's video port cannot be reached.", { path }));
  }

  /** A server that says goodbye (DTLS close_notify) changes only the transport's state, not the connection's. */
  #watchForGoodbye() {
    const transport = this.peerConnection.getReceivers()[0]?.transport;
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed") this.#endedByServer();
    });
  }

  #endedByServer() {
    this.#resource = null;
    this.#end(new SessionProblem("closed", "The server ended the connection."));
  }

  #later(milliseconds, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, milliseconds);
  }

  #end(problem) {
    if (this.#closed) return;
    this.close();
    this.#tell("ended", { problem });
  }

  #tell(type, fields = {}) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

async function problemFrom(response) {
  const problem = await response.json().catch(() => ({}));
  const seconds = Number(response.headers.get("Retry-After") ?? problem.retry_after ?? 0);
  const detail = problem.detail ?? problem.title ?? `The server answered with status ${response.status}.`;
  const code = /^urn:camgate:problem:(.+)$/.exec(problem.type)?.[1];
  const retryAfterMs = (seconds || 0) * 1000;
  return new SessionProblem("refused", detail, { status: response.status, code, retryAfterMs });
}

/** The server's candidates, as "UDP 192.0.2.7:8108" (RFC 8839 section 5.1). */
function videoAddresses(sdp) {
  const candidates = sdp.matchAll(/^a=candidate:\S+ \d+ (\S+) \d+ (\S+) (\d+) /gm);
  const addresses = [...candidates].map(([, protocol, host, port]) => {
    return `${protocol.toUpperCase()} ${host.includes(":") ? `[${host}]` : host}:${port}`;
  });
  return [...new Set(addresses)];
}

/** What browsers call the permission to reach the local network: at first one name, then two. */
const LOCAL_PERMISSIONS = ["local-network-access", "local-network", "loopback-network"];
/** 10/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, 127/8, and IPv6's fc00::/7, fe80::/10 and ::1. */
const LOCAL_HOST =
  /^\w+ \[?(10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|127\.|f[cd]|fe[89ab]|::1\])/i;

/** Chromium drops candidates of the local network without a word where it may not reach it. */
async function isLocalNetworkRefused(addresses) {
  if (!addresses.some((address) => LOCAL_HOST.test(address))) return false;
  for (const name of LOCAL_PERMISSIONS) {
    const status = await navigator.permissions?.query({ name }).catch(() => null); // an unknown name is an error
    if (status?.state === "denied") return true;
  }
  return false;
}
