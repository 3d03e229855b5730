/**
 * The life of one player: it keeps one WHEP session to one camera, connects again when that ends, and knows whether
 * pictures really come. It draws nothing but the video element's stream; whoever shows it listens to `change`.
 *
 * A camera that goes away does not end the session: the server keeps it, and pictures come again by themselves. So a
 * player never opens a second session while the first one is connected, but for pictures that stay away for very
 * long though the camera is live (STUCK_MS).
 */

import { whepAddress } from "./addresses.js";
import { Backoff } from "./backoff.js";
import { emptyFigures, StatsWindow } from "./stats.js";
import { SessionProblem, WhepSession } from "./whep.js";

const TICK_MS = 1_000;
/** Without a new picture for this long, or for this many gaps as last seen (slow cameras), the picture is frozen. */
const FROZEN_MS = 3_000;
const FROZEN_GAPS = 3;
/** One look alone proves nothing: after a computer's sleep, or when timers rest, the last picture is long ago. */
const FROZEN_LOOKS = 2;
const STUCK_MS = 30_000;
/** So long in good order, and the next failure starts again with the shortest wait. */
const STABLE_MS = 10_000;
/** Between attempts while the server says that the camera is away: when it is back, the server will say so at once. */
const AWAY_MS = 30_000;
/** The spread of attempts that one event (camera back, server back) sets off in many pages at once. */
const SPREAD_MS = 400;
/** The status for an offer without any codec that the server could send. */
const NOT_ACCEPTABLE = 406;
/** The status for whoever has to sign in first. */
const UNAUTHORIZED = 401;
/** What stays as it is until somebody does something about it, or the server tells that somebody has. */
const FINAL_CODES = ["unknown-camera", "not-permitted"];

/** Which state may follow which. */
const NEXT = {
  idle: ["connecting", "failed"], // nobody wants a picture, or the page is hidden
  connecting: ["waiting", "retrying", "failed", "idle"], // the offer is out, or packets look for their way
  waiting: ["playing", "retrying", "idle"], // connected, no picture yet
  playing: ["frozen", "retrying", "idle"],
  frozen: ["playing", "retrying", "idle"], // connected, but no new picture for FROZEN_MS
  retrying: ["connecting", "failed", "idle"], // the next attempt has a time
  failed: ["connecting", "failed", "idle"], // nothing this page can do changes it
};

const CONNECTED = ["waiting", "playing", "frozen"];

export class Player extends EventTarget {
  state = "idle";
  /** Why the last session ended or could not be opened. @type {SessionProblem | null} */
  problem = null;
  figures = emptyFigures();
  /** Whether the browser does not let the video start without a gesture of the person. */
  isBlocked = false;
  /** `Date.now()` of the next attempt in state `retrying`. */
  retryAt = 0;
  /** `performance.now()` when a new picture was last seen; 0 before the first. */
  lastPictureAt = 0;

  #camera;
  #video;
  #cameras;
  #session = null;
  #wanted = false;
  #asleep = false;
  #interrupted = false;
  #backoff = new Backoff();
  #window = new StatsWindow();
  #ticker = 0;
  #retryTimer = 0;
  #connectedAt = 0;
  #gapMs = 0;
  #missedLooks = 0;
  #liveSince = 0;
  /** What the camera sent when the server had nothing of it that this browser takes. */
  #refusedVideo = "";
  #sound;
  #disposal = new AbortController();

  /**
   * @param {string} camera its name
   * @param {HTMLVideoElement} video
   * @param {import("./cameras.js").Cameras} cameras
   * @param {{sound?: boolean}} wishes `sound`: ask for the camera's sound from the beginning, muted or not; else `hear`
   */
  constructor(camera, video, cameras, { sound = true } = {}) {
    super();
    this.#sound = sound;
    this.#camera = camera;
    this.#video = video;
    this.#cameras = cameras;
    const { signal } = this.#disposal;
    cameras.addEventListener("change", ({ name }) => (name ?? camera) === camera && this.#heedCamera(), { signal });
    cameras.addEventListener("server", () => this.#heedServer(), { signal });
  }

  get camera() {
    return this.#camera;
  }

  get video() {
    return this.#video;
  }

  get wanted() {
    return this.#wanted;
  }

  /** Connected, but the path to the server does not answer at the moment. */
  get interrupted() {
    return this.#interrupted;
  }

  get peerConnection() {
    return this.#session?.peerConnection ?? null;
  }

  start() {
    this.#wanted = true;
    this.retryNow();
  }

  /** Asks for sound from now on: a session that was opened without it is opened anew. */
  hear() {
    if (this.#sound) return;
    this.#sound = true;
    this.#leave();
    this.retryNow();
  }

  stop() {
    this.#wanted = false;
    this.#leave();
  }

  /** Stops for good. */
  dispose() {
    this.stop();
    this.#disposal.abort();
  }

  /** The page is hidden: let go of the server, remember what was wanted. */
  sleep() {
    this.#asleep = true;
    this.#leave();
  }

  wake() {
    this.#asleep = false;
    this.retryNow();
  }

  /** Connects at once where a picture is wanted and none is on its way; a user's wish starts the waiting times anew. */
  retryNow() {
    if (!this.#wanted || this.#asleep || !["idle", "retrying", "failed"].includes(this.state)) return;
    this.#backoff.reset();
    this.#connect();
  }

  #leave() {
    this.#dropSession();
    this.problem = null;
    if (this.state !== "idle") this.#enter("idle");
  }

  async #connect() {
    clearTimeout(this.#retryTimer);
    if (this.#cameras.signedOut) return this.#giveUp(signedOut());
    this.#enter("connecting");
    try {
      await this.#openSession();
    } catch (error) {
      this.#cannotOpen(error instanceof SessionProblem ? error : new SessionProblem("unusable", error.message));
    }
  }

  /** @throws {SessionProblem} but not for a session that was dropped in the meantime */
  async #openSession() {
    checkBrowser();
    const session = new WhepSession();
    this.#session = session;
    session.addEventListener("track", ({ stream }) => this.#show(stream));
    session.addEventListener("connected", () => this.#connected());
    session.addEventListener("interrupted", () => this.#setInterrupted(true));
    session.addEventListener("ended", ({ problem }) => this.#retry(problem));
    try {
      await session.open(whepAddress(this.#camera), this.#sound);
    } catch (error) {
      if (session === this.#session) throw error;
    }
  }

  #cannotOpen(problem) {
    const isFinal = [NOT_ACCEPTABLE, UNAUTHORIZED].includes(problem.status) || FINAL_CODES.includes(problem.code);
    if (problem.kind === "unusable" || isFinal) this.#giveUp(problem);
    else this.#retry(problem);
    if (problem.status === UNAUTHORIZED) this.#cameras.signOut();
  }

  #show(stream) {
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
    this.play();
  }

  /** Has the video start, silent where the browser permits only that; where it permits nothing, a gesture is needed. */
  async play() {
    const video = this.#video;
    try {
      await video.play().catch(() => {
        // Sound without a user's gesture is not allowed: start silent, the volume control is at hand.
        video.muted = true;
        return video.play();
      });
      this.#setBlocked(false);
    } catch (error) {
      // An AbortError tells of another stream that came meanwhile, which is played for itself.
      if (error.name === "NotAllowedError") this.#setBlocked(true);
    }
  }

  #setBlocked(isBlocked) {
    if (this.isBlocked === isBlocked) return;
    this.isBlocked = isBlocked;
    this.#tell("change");
  }

  #connected() {
    this.#setInterrupted(false);
    if (this.state !== "connecting") return;
    this.problem = null;
    this.lastPictureAt = 0;
    this.#gapMs = this.#missedLooks = 0;
    this.#connectedAt = performance.now();
    this.#window = new StatsWindow();
    this.#enter("waiting");
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#noticeFirstPicture();
  }

  /** The ticker would see the first picture as well, but up to a second late. */
  #noticeFirstPicture() {
    const session = this.#session;
    this.#video.requestVideoFrameCallback?.(() => {
      if (session === this.#session && this.state === "waiting") this.#tick();
    });
  }

  async #tick() {
    const session = this.#session;
    const report = await session?.peerConnection.getStats().catch(() => null);
    if (!report || session !== this.#session || !CONNECTED.includes(this.state)) return;
    const before = this.figures.frames;
    this.figures = this.#window.receive(report);
    this.#timeNextPicture();
    if (this.figures.frames > 0 && this.figures.frames !== before) this.#pictureSeen();
    else this.#pictureMissing();
    this.#tell("figures");
  }

  /** getStats ends at the decoder; only a picture that is shown knows how long it took to the screen. */
  #timeNextPicture() {
    const window = this.#window;
    this.#video.requestVideoFrameCallback?.((_, { expectedDisplayTime, receiveTime }) => {
      if (receiveTime) window.timed(expectedDisplayTime - receiveTime);
    });
  }

  #pictureSeen() {
    const now = performance.now();
    if (this.lastPictureAt) this.#gapMs = now - this.lastPictureAt;
    this.lastPictureAt = now;
    this.#missedLooks = 0;
    if (now - this.#connectedAt > STABLE_MS) this.#backoff.reset();
    if (this.state !== "playing") this.#enter("playing");
  }

  #pictureMissing() {
    const now = performance.now();
    const since = this.lastPictureAt || this.#connectedAt;
    const patience = Math.max(FROZEN_MS, FROZEN_GAPS * this.#gapMs);
    const isFrozen = ++this.#missedLooks >= FROZEN_LOOKS && now - since > patience;
    if (this.state === "playing" && isFrozen) this.#enter("frozen");
    const due = this.#liveSince && now - Math.max(since, this.#liveSince) > STUCK_MS;
    if (due) this.#retry(new SessionProblem("interrupted", "The connection stood, but no picture came."));
  }

  #setInterrupted(interrupted) {
    if (this.#interrupted === interrupted) return;
    this.#interrupted = interrupted;
    this.#tell("change");
  }

  #retry(problem) {
    this.#dropSession();
    this.problem = problem;
    const patience = problem.kind === "refused" && this.#cameras.isAway(this.#camera) ? AWAY_MS : 0;
    this.#retryIn(Math.max(this.#backoff.next(), problem.retryAfterMs, patience));
    this.#enter("retrying");
  }

  #retryIn(milliseconds) {
    clearTimeout(this.#retryTimer);
    this.retryAt = Date.now() + milliseconds;
    this.#retryTimer = setTimeout(() => this.#connect(), milliseconds);
  }

  #giveUp(problem) {
    this.#dropSession();
    this.problem = problem;
    this.#refusedVideo = problem.status === NOT_ACCEPTABLE ? this.#offeredVideo() : "";
    this.#enter("failed");
  }

  #dropSession() {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#ticker);
    this.#session?.close();
    this.#session = null;
    this.#interrupted = false;
    this.figures = emptyFigures();
  }

  /**
   * The server refused us because the camera was away: when it becomes live, don't wait for the timer. The server
   * tells of a live camera each second, so only the change counts.
   */
  #heedCamera() {
    const live = this.#cameras.isLive(this.#camera);
    const isBack = live && !this.#liveSince;
    this.#liveSince = live ? this.#liveSince || performance.now() : 0;
    if (isBack && this.state === "retrying" && this.problem.code === "camera-offline") this.#retrySoon();
    if (this.state === "failed" && this.problem.code === "unknown-camera" && this.#isListed) this.retryNow();
    if (this.state === "failed" && this.#sendsOther) this.#retryAnew();
    this.#tell("change");
  }

  /** Somebody has changed the camera's settings, or its sub-stream has come: what did not fit may do so now. */
  get #sendsOther() {
    return this.problem.status === NOT_ACCEPTABLE && this.#offeredVideo() !== this.#refusedVideo;
  }

  #offeredVideo() {
    const { codec, profile, has_b_frames: hasBFrames, sub } = this.#cameras.get(this.#camera) ?? {};
    return JSON.stringify([codec, profile, hasBFrames, sub?.codec, sub?.profile, sub?.has_b_frames]);
  }

  /** As `retryNow`, but not in all pages at once. */
  #retryAnew() {
    this.#refusedVideo = this.#offeredVideo();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.retryNow(), Math.random() * SPREAD_MS);
  }

  get #isListed() {
    return this.#cameras.get(this.#camera) !== undefined;
  }

  /** The server did not answer, or said goodbye: it is there again. A server that named a time is asked no earlier. */
  #heedServer() {
    if (!this.#cameras.serverAnswers) this.#liveSince = 0;
    if (this.state === "retrying" && this.#cameras.serverAnswers && !this.problem.retryAfterMs) this.#retrySoon();
    // Signed in again, in another tab say.
    if (this.state === "failed" && this.problem.status === UNAUTHORIZED && this.#cameras.serverAnswers) this.retryNow();
    this.#tell("change");
  }

  #retrySoon() {
    const soon = Math.random() * SPREAD_MS;
    if (Date.now() + soon < this.retryAt) this.#retryIn(soon);
  }

  #enter(state) {
    if (!NEXT[this.state].includes(state)) throw new Error(`A player cannot go from ${this.state} to ${state}.`);
    this.state = state;
    this.#tell("change");
  }

  #tell(type) {
    this.dispatchEvent(new Event(type));
  }
}

const signedOut = () => new SessionProblem("refused", "", { status: UNAUTHORIZED, code: "signed-out" });

/** @throws {SessionProblem} for what keeps any picture from this browser, whatever the server does */
function checkBrowser() {
  if (!("RTCPeerConnection" in window)) {
    throw new SessionProblem("unusable", "This browser has no WebRTC, or it is switched off.");
  }
}
