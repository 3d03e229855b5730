/** The page where cameras are added, changed, switched and removed, for those who may. */

import { cameraAddress } from "./addresses.js";
import { Cameras } from "./cameras.js";
import { listConfigured, removeCamera, switchCamera } from "./configured.js";
import { Editor } from "./editor.js";
import * as format from "./figures.js";
import { careFor } from "./page.js";
import { ailment, cameraMark, sentence, serverGone, stateName } from "./words.js";

const ORIGINS = { api: "Added here", file: "In the config file", "built-in": "Built in" };
const HINTS = { file: "Change it there, then reload." };
const CODECS = { H264: "H.264", H265: "H.265" };

const cameras = new Cameras();
const table = document.querySelector("#cameras");
const body = table.querySelector("tbody");
const addButton = document.querySelector("#add");
const question = document.querySelector("#question");
const editor = new Editor(document.querySelector("#editor"), async (name, words) => {
  await load();
  tell(words);
  // The form came from a button that may be gone, and the way on is the camera.
  rows.get(name)?.link.focus();
});
/** @type {Map<string, Row>} */
const rows = new Map();
let reloadTimer = 0;

/** One camera. Its elements stay as long as it does, so that nobody loses their place in the page. */
class Row {
  constructor(name) {
    this.name = name;
    this.element = make("tr", { role: "row" });
    this.element.dataset.camera = name;
    this.link = make("a", { href: cameraAddress(name) });
    this.address = make("span", { className: "soft" });
    const head = make("th", { role: "rowheader", scope: "row" });
    head.append(this.link, this.address);
    this.pill = make("span", { className: "pill" });
    this.trouble = make("span", { className: "soft" });
    this.stream = make("span", { className: "address" });
    this.sent = make("span", { className: "soft" });
    this.origin = make("span");
    this.hint = make("span", { className: "soft" });
    this.edit = make("button", { type: "button", textContent: "Change" });
    this.switch = make("button", { type: "button" });
    this.remove = make("button", { type: "button", textContent: "Remove", className: "danger" });
    this.edit.addEventListener("click", () => editor.change(this.configured));
    this.switch.addEventListener("click", () => this.#turn());
    this.remove.addEventListener("click", () => this.#askAndRemove());
    const actions = cell("actions", this.edit, this.switch, this.remove);
    const cells = [
      cell("state", this.pill, this.trouble),
      cell("stream", this.stream, this.sent),
      cell("origin", this.origin, this.hint),
    ];
    this.element.append(head, ...cells, actions);
  }

  get title() {
    return this.configured.settings?.title || this.name;
  }

  /** @param {object} configured as the API tells it */
  set(configured) {
    this.configured = configured;
    const { origin, enabled, settings } = configured;
    const isOurs = origin === "api";
    setText(this.link, this.title);
    setText(this.address, this.title === this.name ? "" : this.name);
    setText(this.stream, settings?.url ?? "What is saved of it cannot be used; the log says why.");
    setText(this.origin, ORIGINS[origin]);
    setText(this.hint, HINTS[origin] ?? "");
    setText(this.switch, enabled ? "Switch off" : "Switch on");
    this.edit.hidden = !isOurs || !settings;
    this.switch.hidden = origin === "built-in";
    this.remove.hidden = !isOurs;
    for (const button of [this.edit, this.switch, this.remove]) {
      button.setAttribute("aria-label", `${button.textContent}: ${this.title}`);
    }
    this.renderState();
  }

  renderState() {
    const { enabled } = this.configured;
    const facts = enabled ? cameras.get(this.name) : undefined;
    this.pill.dataset.state = enabled ? cameraMark(cameras, this.name) : "off";
    setText(this.pill, enabled ? stateName(cameras, this.name) : "Off");
    const trouble = facts?.last_error ? sentence(facts.last_error) : ailment(cameras, this.name);
    setText(this.trouble, enabled ? trouble : "");
    const rate = facts?.fps ? ` at ${format.count(facts.fps)} fps` : "";
    const codec = facts?.codec ? `${CODECS[facts.codec] ?? facts.codec} ${format.resolution(facts)}${rate}` : "";
    setText(this.sent, codec);
  }

  async #turn() {
    const on = !this.configured.enabled;
    this.switch.disabled = true;
    const { ok, words } = await switchCamera(this.name, on);
    this.switch.disabled = false;
    await load();
    tell(ok ? `${this.title} is switched ${on ? "on" : "off"}.` : words);
    this.switch.focus();
  }

  async #askAndRemove() {
    document.querySelector("#question-title").textContent = `Remove ${this.title}?`;
    question.returnValue = "keep";
    question.showModal();
    await new Promise((resolve) => question.addEventListener("close", resolve, { once: true }));
    if (question.returnValue !== "remove") return;
    const { ok, words } = await removeCamera(this.name);
    await load();
    tell(ok ? `${this.title} is removed.` : words);
    if (ok) addButton.focus();
  }
}

/** Asks how cameras are configured, and makes the rows those. */
async function load() {
  const { ok, status, answer, words } = await listConfigured();
  if (!ok) {
    if (status !== 401) tell(words); // else the banner says it, with the way to sign in
    return;
  }
  const names = new Set(answer.map(({ name }) => name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.element.remove();
    rows.delete(name);
  }
  answer.forEach((configured, place) => {
    const row = rows.get(configured.name) ?? new Row(configured.name);
    rows.set(configured.name, row);
    if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
    row.set(configured);
  });
  // Without a config file, as in the demo, nothing could be kept.
  addButton.disabled = answer.some(({ origin }) => origin === "built-in");
  table.hidden = answer.length === 0;
  document.querySelector("#none").hidden = answer.length > 0;
}

/** Somebody else may have changed something: the list of cameras is another one. */
function loadSoon() {
  clearTimeout(reloadTimer);
  reloadTimer = setTimeout(load, 200);
}

function renderServer() {
  const words = serverGone(cameras);
  const banner = document.querySelector("#banner");
  banner.hidden = !words;
  setText(banner.querySelector("p"), words ? `${words.headline}. ${words.detail}` : "");
  for (const row of rows.values()) row.renderState();
}

const tell = (words) => setText(document.querySelector("#told"), words);

function cell(className, ...content) {
  const element = make("td", { role: "cell", className });
  element.append(...content);
  return element;
}

function make(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

cameras.addEventListener("change", ({ name }) => {
  if (name === null || !rows.has(name)) loadSoon();
  else rows.get(name).renderState();
});
cameras.addEventListener("server", renderServer);
addButton.addEventListener("click", () => {
  tell("");
  editor.add();
});
careFor(cameras, () => []);
