/**
 * What the server says of its cameras: pushed over /ws as it changes, asked for every few seconds where a proxy
 * lets no WebSocket through. Media needs none of this; it is for words, states and quick reactions.
 */

import { camerasAddress, socketAddress } from "./addresses.js";
import { Backoff } from "./backoff.js";
import { learnServerList } from "./ice.js";
import { whoAmI } from "./session.js";

const PING_MS = 15_000;
/** A socket that stays silent after a ping is dead, whatever the browser thinks of it. */
const PONG_TIMEOUT_MS = 5_000;
const POLL_MS = 5_000;
/** A server that shuts down still answers requests for a moment after it closed its sockets. */
const FIRST_POLL_MS = 1_500;
/** Told twice within this time that one has to sign in, a page believes it. */
const DOUBT_MS = 60_000;
const SIGNED_OUT = Symbol("signed out");
const LOGINS_DOWN = Symbol("logins down");

/**
 * Begins asleep: `wake` starts it. Events: `change` when facts change, with the camera's `name`, or null for the whole
 * list; `server` when the server is lost or found, or wants one to sign in.
 * @typedef {{name: string, title?: string, state: string, last_error?: string, needs_attention?: string | null, fps?: number}} Camera
 */
export class Cameras extends EventTarget {
  /** False from the loss of the server until it is found again. Unknown (null) at first. @type {boolean | null} */
  serverAnswers = null;
  /** What the server said before it went away. @type {string | null} */
  farewell = null;
  /** Whether the server answers that it cannot find out at present who one is. */
  loginsDown = false;
  /** Whether one has to sign in to go on; then nothing is asked until `wake`. */
  signedOut = false;
  /** Whether any list has come yet. */
  known = false;

  /** @type {Map<string, Camera>} */
  #cameras = new Map();
  #socket = null;
  #only;
  #backoff = new Backoff();
  #pingTimer = 0;
  #reopenTimer = 0;
  #pollTimer = 0;
  /** The question under way whether one is signed out indeed. @type {object | null} */
  #doubt = null;
  #doubtAgainAt = 0;

  /** @param {string} [only] the one camera to hear of, with its figures each second; all where it is left out */
  constructor(only) {
    super();
    this.#only = only;
  }

  /** Listens to the server, now rather than at the next attempt. */
  wake() {
    this.#doubt = null;
    if (!this.#socket) this.#openSocket();
  }

  /** Leaves the server in peace; what was known stays. */
  sleep() {
    this.#doubt = null;
    const socket = this.#socket;
    this.#socket = null; // so that its end is no loss
    socket?.close();
    clearTimeout(this.#pingTimer);
    clearTimeout(this.#reopenTimer);
    this.#stopPolling();
  }

  get(name) {
    return this.#cameras.get(name);
  }

  list() {
    return [...this.#cameras.values()];
  }

  isLive(name) {
    return this.serverAnswers === true && this.get(name)?.state === "live";
  }

  /** Surely not there, as against unknown, or idle and woken by its first viewer. */
  isAway(name) {
    return this.serverAnswers === true && ["stalled", "backoff", "stopped"].includes(this.get(name)?.state);
  }

  #openSocket() {
    clearTimeout(this.#reopenTimer);
    const socket = new WebSocket(socketAddress(this.#only));
    this.#socket = socket;
    socket.onopen = () => this.#schedulePing(socket);
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#schedulePing(socket);
      this.#receive(JSON.parse(data));
    };
    socket.onclose = () => this.#lost(socket);
  }

  #receive(message) {
    if (message.type === "cameras") this.#socketWorks(message.cameras);
    else if (message.type === "camera") this.#update(message.camera);
    else if (message.type === "camera-removed") this.#remove(message.name);
    else if (message.type === "bye") this.#sayFarewell(message.reason);
    else if (message.type === "signed-out") this.signOut();
    else if (message.type === "ice-servers") learnServerList(message.servers, message.max_age);
  }

  #socketWorks(cameras) {
    this.#stopPolling();
    this.#backoff.reset();
    this.#replace(cameras);
  }

  #replace(cameras) {
    this.#cameras = new Map(cameras.map((camera) => [camera.name, camera]));
    this.known = true;
    this.#setServer(true);
    this.#tell("change", null);
  }

  #update(camera) {
    this.#cameras.set(camera.name, camera);
    this.#tell("change", camera.name);
  }

  #remove(name) {
    this.#cameras.delete(name);
    this.#tell("change", null);
  }

  /**
   * Asks once whether that is so: another tab may have prolonged the session, or signed in. Asking again and again would
   * change nothing, and look like an attack.
   */
  async signOut() {
    if (this.#doubt) return;
    this.sleep();
    if (this.signedOut) return;
    this.serverAnswers = null;
    if (performance.now() >= this.#doubtAgainAt) {
      const doubt = (this.#doubt = {});
      const who = await whoAmI();
      if (doubt !== this.#doubt) return; // the page sleeps, or has woken and asks by itself
      this.#doubt = null;
      this.#doubtAgainAt = performance.now() + DOUBT_MS;
      if (who !== null) return this.#openSocket();
    }
    this.signedOut = true;
    this.#tell("server");
  }

  #sayFarewell(reason) {
    this.farewell = reason;
    this.#setServer(false);
  }

  #setServer(answers, loginsDown = false) {
    if (this.serverAnswers === answers && this.loginsDown === loginsDown) return;
    this.serverAnswers = answers;
    this.loginsDown = loginsDown;
    if (answers) {
      this.farewell = null;
      this.signedOut = false;
    }
    this.#tell("server");
  }

  #schedulePing(socket) {
    clearTimeout(this.#pingTimer);
    this.#pingTimer = setTimeout(() => {
      socket.send('{"type":"ping"}');
      this.#pingTimer = setTimeout(() => this.#lost(socket), PONG_TIMEOUT_MS);
    }, PING_MS);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#pingTimer);
    this.#socket = null;
    socket.close();
    this.#reopenTimer = setTimeout(() => this.#openSocket(), this.#backoff.next());
    if (!this.#pollTimer) this.#pollIn(FIRST_POLL_MS);
  }

  #stopPolling() {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = 0;
  }

  #pollIn(milliseconds) {
    this.#pollTimer = setTimeout(() => this.#poll(), milliseconds);
  }

  /** Asks over plain HTTP, until a socket has told the list again. */
  async #poll() {
    this.#pollIn(POLL_MS);
    const cameras = await fetchCameras(this.#only);
    if (!this.#pollTimer) return; // the socket was faster
    if (cameras === SIGNED_OUT) this.signOut();
    else if (cameras === LOGINS_DOWN) this.#setServer(false, true);
    else if (cameras) this.#replace(cameras);
    else this.#setServer(false);
  }

  #tell(type, name) {
    this.dispatchEvent(Object.assign(new Event(type), { name }));
  }
}

/** @returns {Promise<Camera[] | null | SIGNED_OUT | LOGINS_DOWN>} null where the server does not answer */
async function fetchCameras(only) {
  try {
    const response = await fetch(camerasAddress(only), { signal: AbortSignal.timeout(POLL_MS) });
    if (only && response.status === 404) return [];
    if ([401, 403].includes(response.status)) return SIGNED_OUT;
    const answer = await response.json();
    if (answer.type === "urn:camgate:problem:logins-down") return LOGINS_DOWN;
    return response.ok ? [answer].flat() : null;
  } catch {
    return null;
  }
}
