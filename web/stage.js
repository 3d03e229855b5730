/**
 * A player as it is seen on its own: the picture, the words over it, and the controls below. The markup is the page's;
 * parts are found by `data-part`, and a page leaves out those that it doesn't want.
 */

import { Poster } from "./poster.js";
import { explain } from "./words.js";

const CLOCK_MS = 500;
const CONTROLS_REST_MS = 3_000;
const POSTER_WIDTH = 1_280;

/** Keys while the focus is inside the stage, so that they never get in the way of reading. */
const KEYS = { f: "fullscreen", m: "mute", p: "pip" };

export class Stage {
  #root;
  #player;
  #cameras;
  #poster;
  #restTimer = 0;

  constructor(root, player, cameras) {
    this.#root = root;
    this.#player = player;
    this.#cameras = cameras;
    this.#poster = new Poster(player.video, player.camera, POSTER_WIDTH);
    this.#wireConnection();
    this.#wireSound();
    this.#wireFloating();
    this.#wireFullscreen();
    this.#wireKeys();
    this.#wireRest();
    player.video.addEventListener("resize", () => this.#fitShape());
    player.addEventListener("change", () => this.#render());
    setInterval(() => this.#render(), CLOCK_MS);
    this.#render();
  }

  part(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }

  #on(name, action) {
    this.part(name)?.addEventListener("click", action);
  }

  #render() {
    const player = this.#player;
    this.#root.dataset.state = player.state;
    showWords(this.#root, explain(player, this.#cameras));
    this.#poster.look(this.#cameras.isLive(player.camera) && !["playing", "frozen"].includes(player.state));
    const retry = this.part("retry");
    const isUnknown = player.state === "failed" && player.problem.code === "unknown-camera";
    const helps = !isUnknown && !this.#cameras.signedOut && player.problem?.code !== "not-permitted";
    if (retry) {
      retry.hidden = !helps || !(player.isBlocked || ["retrying", "failed"].includes(player.state));
      const label = player.isBlocked ? "Play" : "Try now";
      if (retry.textContent !== label) retry.textContent = label;
    }
    const wall = this.part("wall");
    if (wall) wall.hidden = !isUnknown;
    const connect = this.part("connect");
    if (connect) setLabel(connect, player.wanted ? "Disconnect" : "Connect");
    this.#renderSound();
  }

  #fitShape() {
    const { videoWidth, videoHeight } = this.#player.video;
    if (videoWidth) this.part("screen").style.aspectRatio = `${videoWidth} / ${videoHeight}`;
  }

  #wireConnection() {
    this.#on("connect", () => (this.#player.wanted ? this.#player.stop() : this.#player.start()));
    this.#on("retry", () => (this.#player.isBlocked ? this.#player.play() : this.#player.retryNow()));
  }

  #wireSound() {
    const { video } = this.#player;
    const volume = this.part("volume");
    this.#on("mute", () => {
      video.muted = !video.muted;
      if (!video.muted && !video.volume) video.volume = 1; // it was turned down all the way
    });
    volume?.addEventListener("input", () => {
      video.volume = volume.valueAsNumber;
      video.muted = video.volume === 0;
    });
    video.addEventListener("volumechange", () => this.#renderSound());
  }

  /** Without sound there is nothing to press. */
  #renderSound() {
    const { video } = this.#player;
    const silent = !video.srcObject?.getAudioTracks().length;
    const mute = this.part("mute");
    if (mute) {
      mute.hidden = silent;
      mute.dataset.on = String(!video.muted);
      setLabel(mute, video.muted ? "Sound on" : "Sound off");
    }
    const volume = this.part("volume");
    if (volume) {
      volume.parentElement.hidden = silent;
      volume.value = video.muted ? 0 : video.volume;
    }
  }

  #wireFloating() {
    const button = this.part("pip");
    if (!button) return;
    const { video } = this.#player;
    button.hidden = !document.pictureInPictureEnabled;
    button.addEventListener("click", () => {
      const floats = Boolean(document.pictureInPictureElement);
      const change = floats ? document.exitPictureInPicture() : video.requestPictureInPicture();
      change.catch(() => {}); // no picture yet, or the browser forbids it: nothing to undo
    });
    const render = () => {
      setLabel(button, document.pictureInPictureElement ? "End picture in picture" : "Picture in picture");
    };
    render();
    video.addEventListener("enterpictureinpicture", render);
    video.addEventListener("leavepictureinpicture", render);
  }

  #wireFullscreen() {
    const button = this.part("fullscreen");
    if (!button) return;
    const { video } = this.#player;
    button.hidden = !document.fullscreenEnabled && !video.webkitEnterFullscreen;
    button.addEventListener("click", () => {
      if (!document.fullscreenEnabled) video.webkitEnterFullscreen(); // iPhones show only the video itself
      else if (document.fullscreenElement) document.exitFullscreen();
      else this.#root.requestFullscreen().catch(() => {});
    });
    const render = () => setLabel(button, document.fullscreenElement ? "Leave full screen" : "Full screen");
    document.addEventListener("fullscreenchange", render);
    render();
  }

  #wireKeys() {
    this.#root.addEventListener("keydown", (event) => {
      const part = KEYS[event.key.toLowerCase()];
      if (!part || event.ctrlKey || event.metaKey || event.altKey) return;
      this.part(part)?.click();
    });
  }

  /** Controls that lie over the picture fade while nothing is touched. */
  #wireRest() {
    const stir = () => {
      clearTimeout(this.#restTimer);
      delete this.#root.dataset.resting;
      this.#restTimer = setTimeout(() => (this.#root.dataset.resting = ""), CONTROLS_REST_MS);
    };
    for (const type of ["pointermove", "pointerdown", "keydown", "focusin"]) this.#root.addEventListener(type, stir);
    stir();
  }
}

/** Puts words over the picture, or takes them away. Text is only touched when it changes, for screen readers' sake. */
export function showWords(root, words) {
  root.dataset.mood = words?.mood ?? "";
  for (const part of ["headline", "detail", "aside"]) {
    const element = root.querySelector(`[data-part="${part}"]`);
    const text = words?.[part] ?? "";
    if (element && element.textContent !== text) element.textContent = text;
  }
}

/** A button's name: its text where it has room for one, else its label and tooltip. */
export function setLabel(button, label) {
  const text = button.querySelector("[data-part=label]");
  if (text) {
    if (text.textContent !== label) text.textContent = label;
  } else if (button.title !== label) {
    button.title = label;
    button.setAttribute("aria-label", label);
  }
}
