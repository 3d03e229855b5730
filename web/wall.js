/** The wall: a tile for each camera, in the server's order. Only tiles that can be seen play. */

import { cameraAddress } from "./addresses.js";
import { Cameras } from "./cameras.js";
import * as format from "./figures.js";
import { careFor } from "./page.js";
import { Player } from "./player.js";
import { Poster } from "./poster.js";
import { whoAmI } from "./session.js";
import { setLabel, showWords } from "./stage.js";
import { ailment, cameraMark, cameraState, explain, serverGone, stateName } from "./words.js";

/** Pictures at once: more than this many decoders make most machines stutter. */
const MOST_PLAYING = 25;
/** Tiles that only fly past while the page is scrolled don't connect. */
const SETTLE_MS = 200;
/** Start a little before a tile comes into view. */
const MARGIN = "25% 0px";
const POSTER_WIDTH = 480;

const cameras = new Cameras();
const list = document.querySelector("#tiles");
const template = document.querySelector("#tile");
const filter = document.querySelector("#filter");
/** @type {Map<string, Tile>} */
const tiles = new Map();
let dealTimer = 0;
let knownStates = "";

class Tile {
  visible = false;
  /** It could be seen, but MOST_PLAYING others play. */
  surplus = false;

  constructor(name) {
    this.name = name;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.camera = name;
    this.element.querySelector("a").href = cameraAddress(name);
    const video = this.element.querySelector("video");
    // Sound is asked for by who wants to hear it: 25 tiles of which nobody hears any would cost as much sound.
    this.player = new Player(name, video, cameras, { sound: false });
    this.poster = new Poster(video, name, POSTER_WIDTH);
    this.player.addEventListener("change", () => this.render());
    this.player.addEventListener("figures", () => this.#renderFigures());
    this.element.querySelector(".sound").addEventListener("click", () => listenTo(video.muted ? this : null));
    video.addEventListener("volumechange", () => this.#renderSound());
  }

  /** Lets the tile be heard, or not. */
  set audible(audible) {
    this.player.video.muted = !audible;
    if (audible) this.player.hear();
  }

  get title() {
    return cameras.get(this.name)?.title || this.name;
  }

  get #promising() {
    const state = cameraState(cameras, this.name);
    // A camera on demand that only a person can mend is not dialled for a glance at the wall.
    return state === "live" || (state === "idle" && !cameras.get(this.name).needs_attention);
  }

  /** A viewer is only opened for a camera that can show something; an open one stays when its camera goes away. */
  deal(room) {
    const wanted = this.visible && (this.player.wanted || this.#promising);
    this.surplus = wanted && !room;
    if (wanted && room && !this.player.wanted) this.player.start();
    if (!(wanted && room) && this.player.wanted) this.player.stop();
    this.render();
    return this.player.wanted;
  }

  render() {
    const pill = this.element.querySelector(".pill");
    pill.dataset.state = cameraMark(cameras, this.name);
    setText(pill, stateName(cameras, this.name));
    setText(this.element.querySelector(".name"), this.title);
    const screen = this.element.querySelector(".screen");
    screen.dataset.state = this.player.state;
    showWords(screen, this.#words());
    this.poster.look(this.visible && cameras.isLive(this.name) && !["playing", "frozen"].includes(this.player.state));
    this.#renderFigures();
    this.#renderSound();
  }

  #renderSound() {
    const { muted } = this.player.video;
    const button = this.element.querySelector(".sound");
    button.hidden = !cameras.get(this.name)?.audio || (muted && this.player.state !== "playing");
    button.dataset.on = String(!muted);
    setLabel(button, `Sound of ${this.title} ${muted ? "on" : "off"}`);
  }

  #words() {
    if (this.surplus) return tileWords("calm", "Paused", `This page plays ${MOST_PLAYING} pictures at once.`);
    if (this.player.state === "idle" && this.#promising) return tileWords("busy", "Connecting", "");
    return explain(this.player, cameras);
  }

  #renderFigures() {
    const { state, figures } = this.player;
    const flowing = state === "playing" && figures.framesPerSecond > 0;
    const frames = `${format.count(figures.framesPerSecond)} fps`;
    const isLive = cameraState(cameras, this.name) === "live";
    const rates = flowing ? `${frames} · ${format.bitRate(figures.bitsPerSecond)}` : "";
    const text = (isLive && ailment(cameras, this.name)) || rates;
    setText(this.element.querySelector(".figures"), text);
  }

  dispose() {
    this.player.dispose();
    this.element.remove();
  }
}

/** One tile at a time, or none. */
function listenTo(heard) {
  for (const tile of tiles.values()) tile.audible = tile === heard;
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const tile = tiles.get(target.dataset.camera);
      if (tile) tile.visible = isIntersecting;
    }
    dealSoon();
  },
  { rootMargin: MARGIN },
);

/** Figures change each second, states seldom. @returns {boolean} whether any state has changed since the last call */
function noteStates() {
  const facts = cameras.list().map(({ name, state, needs_attention: attention }) => `${name} ${state} ${attention}`);
  const states = facts.join("\n");
  const changed = states !== knownStates;
  knownStates = states;
  return changed;
}

function dealSoon() {
  clearTimeout(dealTimer);
  dealTimer = setTimeout(deal, SETTLE_MS);
}

function deal() {
  let room = MOST_PLAYING;
  for (const tile of tiles.values()) if (tile.deal(room > 0)) room -= 1;
}

/** Makes the tiles those of the list: new ones at their place, gone ones gone, the others untouched. */
function arrange() {
  const names = cameras.list().map((camera) => camera.name);
  const present = new Set(names);
  for (const [name, tile] of tiles) {
    if (present.has(name)) continue;
    observer.unobserve(tile.element);
    tile.dispose();
    tiles.delete(name);
  }
  names.forEach((name, place) => {
    const tile = tiles.get(name) ?? addTile(name);
    if (list.children[place] !== tile.element) list.insertBefore(tile.element, list.children[place] ?? null);
  });
  applyFilter();
}

function addTile(name) {
  const tile = new Tile(name);
  tiles.set(name, tile);
  list.append(tile.element);
  observer.observe(tile.element);
  return tile;
}

function applyFilter() {
  const wanted = filter.value.trim().toLowerCase();
  for (const tile of tiles.values()) {
    tile.element.hidden = !`${tile.title} ${tile.name}`.toLowerCase().includes(wanted);
  }
  renderSummary();
}

function renderSummary() {
  const states = [...tiles.keys()].map((name) => cameraState(cameras, name));
  const live = states.filter((state) => state === "live").length;
  const shown = [...tiles.values()].filter((tile) => !tile.element.hidden).length;
  const unhealthy = [...tiles.keys()].filter((name) => ailment(cameras, name)).length;
  const ill = unhealthy ? `, ${unhealthy} unhealthy` : "";
  const noun = tiles.size === 1 ? "camera" : "cameras";
  const found = shown < tiles.size ? `, ${shown} shown` : "";
  if (cameras.signedOut) return setText(document.querySelector("#summary"), "Signed out");
  const summary = cameras.known ? `${tiles.size} ${noun}, ${live} live${ill}${found}` : "Loading cameras";
  setText(document.querySelector("#summary"), summary);
  document.querySelector("#none").hidden = !cameras.known || tiles.size > 0;
  document.querySelector("#none-found").hidden = tiles.size === 0 || shown > 0;
}

function renderServer() {
  const words = serverGone(cameras);
  const banner = document.querySelector("#banner");
  banner.hidden = !words;
  setText(banner.querySelector("p"), words ? `${words.headline}. ${words.detail}` : "");
  for (const tile of tiles.values()) tile.render();
  renderSummary();
}

function tileWords(mood, headline, detail) {
  return { headline, detail, mood };
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

cameras.addEventListener("change", ({ name }) => {
  if (name === null || !tiles.has(name)) arrange();
  else tiles.get(name).render();
  if (noteStates()) dealSoon();
  renderSummary();
});
cameras.addEventListener("server", renderServer);
filter.addEventListener("input", applyFilter);
whoAmI().then((session) => {
  document.querySelector("#manage").hidden = !session?.is_admin;
});
careFor(cameras, () => [...tiles.values()].map((tile) => tile.player));
