/**
 * The form for a camera, new or known. It looks at the camera before it saves where that is reached in another way than
 * before: what it sends, what browsers get, and a picture. A saved password is never there to be shown.
 */

import { addCamera, changeCamera, probeCamera } from "./configured.js";
import * as format from "./figures.js";
import { sentence } from "./words.js";

const MASK = "***";
const LOOK = "Look at the camera";
const DEFAULTS = { transport: "auto", on_demand: false, audio: true };
const TEXTS = ["url", "username", "title", "tls_fingerprint"];
/** What says how a camera is reached, and what of it. */
const REACHED_BY = ["url", "username", "password", "transport", "tls_fingerprint", "audio"];

export class Editor {
  #dialog;
  #form;
  #fields;
  #result;
  #go;
  /** What is changed; null for one that is new. */
  #configured = null;
  #lookedAt = "";
  #saves = "";
  #look = new AbortController();
  #onSaved;

  /** @param {(name: string, words: string) => void} onSaved called once a camera is saved */
  constructor(dialog, onSaved) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector("form");
    this.#fields = this.#form.elements;
    this.#result = dialog.querySelector('[data-part="result"]');
    this.#go = dialog.querySelector('[data-part="go"]');
    this.#onSaved = onSaved;
    dialog.querySelector('[data-part="cancel"]').addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.#look.abort());
    this.#form.addEventListener("input", ({ target }) => this.#note(target));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  add() {
    this.#open(null, "Add a camera", "Add");
  }

  /** @param {object} configured as the API tells it */
  change(configured) {
    this.#open(configured, `Change ${configured.settings.title || configured.name}`, "Save");
  }

  #open(configured, title, saves) {
    this.#configured = configured;
    this.#saves = saves;
    this.#form.reset();
    this.#dialog.querySelector("h2").textContent = title;
    const settings = configured?.settings ?? DEFAULTS;
    for (const name of TEXTS) this.#fields[name].value = settings[name] ?? "";
    this.#fields.sub.value = settings.sub?.url ?? "";
    this.#fields.transport.value = settings.transport;
    this.#fields.on_demand.checked = settings.on_demand;
    this.#fields.audio.checked = settings.audio;
    this.#fields.password.placeholder = settings.password === MASK ? "Kept as it is" : "";
    this.#fields.name.value = configured?.name ?? "";
    delete this.#fields.name.dataset.own;
    this.#fields.name.disabled = Boolean(configured);
    this.#dialog.querySelector("details").open = false;
    this.#complain({});
    this.#result.replaceChildren();
    this.#lookedAt = configured ? this.#reachedBy() : "";
    this.#renderGo();
    this.#dialog.showModal();
    this.#fields.url.focus();
  }

  #note(field) {
    if (field === this.#fields.title && !this.#configured && !this.#fields.name.dataset.own) {
      this.#fields.name.value = nameOf(field.value);
    }
    if (field === this.#fields.name) this.#fields.name.dataset.own = field.value;
    field.removeAttribute("aria-invalid");
    this.#renderGo();
  }

  #reachedBy() {
    return JSON.stringify(REACHED_BY.map((name) => this.#value(name)));
  }

  #value(name) {
    const field = this.#fields[name];
    return field.type === "checkbox" ? field.checked : field.value.trim();
  }

  get #isSeen() {
    return this.#reachedBy() === this.#lookedAt;
  }

  #renderGo(words) {
    const isAnyway = this.#result.dataset.mood === "bad" && this.#result.childElementCount > 0;
    this.#go.textContent = words ?? (this.#isSeen ? `${this.#saves}${isAnyway ? " anyway" : ""}` : LOOK);
  }

  async #submit() {
    if (this.#go.getAttribute("aria-disabled") === "true") return;
    this.#complain(this.#isWhole());
    if (!this.#dialog.querySelector('[data-part="problem"]').hidden) return;
    // Not disabled, which would take the focus away.
    this.#go.setAttribute("aria-disabled", "true");
    try {
      await (this.#isSeen ? this.#save() : this.#lookAt());
    } finally {
      this.#go.removeAttribute("aria-disabled");
      this.#renderGo();
    }
  }

  /** @returns {object} a problem, by field; none where everything that is needed is there */
  #isWhole() {
    const { url, name, sub } = this.#fields;
    const { settings } = this.#configured ?? {};
    if (!url.value.trim()) return { url: "is missing; write rtsp://HOST/PATH as the camera's manual has it" };
    for (const [field, was] of [
      [url, settings?.url],
      [sub, settings?.sub?.url],
    ]) {
      if (field.value === was || !field.value.includes(MASK)) continue;
      return { [field.name]: `holds ${MASK} in place of something secret; write it whole` };
    }
    if (!name.value.trim()) return { name: "is missing; write letters, digits and -, such as front-door" };
    return {};
  }

  async #lookAt() {
    const reachedBy = this.#reachedBy();
    this.#renderGo("Looking…");
    this.#show("busy", [make("p", { textContent: "Connecting, and watching for some seconds." })]);
    this.#look = new AbortController();
    const { signal } = this.#look;
    const asked = this.#configured ? { name: this.#configured.name, ...this.#changes() } : this.#keys();
    const { ok, answer, words } = await probeCamera(asked, signal);
    if (signal.aborted) return;
    if (!ok) {
      this.#show("", []);
      this.#refused(answer, words);
      return;
    }
    this.#lookedAt = reachedBy;
    this.#show(answer.is_playable ? "good" : "bad", found(answer));
  }

  async #save() {
    this.#renderGo("Saving…");
    const { name: was } = this.#configured ?? {};
    const { ok, answer, words } = was ? await changeCamera(was, this.#changes()) : await addCamera(this.#keys(true));
    if (!ok) {
      this.#refused(answer, words);
      return;
    }
    this.#dialog.close();
    const { name, settings } = answer;
    this.#onSaved(name, `${settings?.title || name} is ${was ? "changed" : "added"}.`);
  }

  /** All keys that differ from their defaults. */
  #keys(withName = false) {
    const keys = {};
    if (withName) keys.name = this.#value("name");
    for (const name of [...TEXTS, "password"]) if (this.#value(name)) keys[name] = plain(this.#value(name));
    for (const [name, usual] of Object.entries(DEFAULTS)) if (this.#value(name) !== usual) keys[name] = this.#value(name);
    if (this.#value("sub")) keys.sub = { url: plain(this.#value("sub")) };
    return keys;
  }

  /** What is another value than before; null takes a key away. */
  #changes() {
    const { settings } = this.#configured;
    const changes = {};
    for (const name of TEXTS) {
      const value = this.#value(name);
      if (value !== (settings[name] ?? "")) changes[name] = value ? plain(value) : null;
    }
    for (const name of Object.keys(DEFAULTS)) if (this.#value(name) !== settings[name]) changes[name] = this.#value(name);
    if (this.#value("password")) changes.password = plain(this.#value("password"));
    else if (changes.username === null) changes.password = null;
    const sub = this.#value("sub");
    if (sub !== (settings.sub?.url ?? "")) changes.sub = sub ? { url: plain(sub) } : null;
    return changes;
  }

  /** Says what the server has against it, at the fields that are meant. */
  #refused({ errors = [] }, words) {
    const problems = errors.map(({ key, detail }) => [fieldOf(key ?? ""), detail]);
    const known = problems.filter(([name]) => name in this.#fields);
    if (known.length) this.#complain(Object.fromEntries(known));
    else this.#complain({ "": errors[0]?.detail ?? words });
  }

  #complain(problems) {
    const lines = Object.entries(problems).map(([name, detail]) => {
      return name ? sentence(`${this.#label(name)} ${detail}`) : sentence(detail);
    });
    for (const field of this.#fields) {
      if (field.name in problems) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    const first = this.#fields[Object.keys(problems)[0]];
    if (first?.closest("details")) first.closest("details").open = true;
    first?.focus();
    const problem = this.#dialog.querySelector('[data-part="problem"]');
    problem.hidden = lines.length === 0;
    problem.textContent = lines.join(" ");
  }

  #label(name) {
    const span = this.#fields[name].closest("label").querySelector("span");
    return (span?.firstChild ?? this.#fields[name].closest("label")).textContent.trim();
  }

  #show(mood, content) {
    this.#result.dataset.mood = mood;
    this.#result.replaceChildren(...content);
    // A picture has no height before it is decoded.
    const picture = this.#result.querySelector("img")?.decode().catch(() => {});
    Promise.resolve(picture).then(() => this.#result.scrollIntoView({ block: "nearest" }));
  }
}

/** @returns {Element[]} what was found of a camera, or why it could not be looked at */
function found({ error, found: facts, picture }) {
  if (error) return [make("p", { className: "verdict", textContent: sentence(error) })];
  const content = [];
  if (picture) content.push(make("img", { src: `data:image/jpeg;base64,${picture}`, alt: "What the camera sees" }));
  const list = make("dl");
  for (const [term, text] of lines(facts)) {
    const pair = make("div");
    pair.append(make("dt", { textContent: term }), make("dd", { textContent: text }));
    list.append(pair);
  }
  return [...content, list];
}

function* lines(facts) {
  yield ["Browsers get", sentence(facts.browser)];
  yield ["Sound", sentence(facts.sound)];
  if (facts.fps) yield ["Frames a second", format.rate(facts.fps)];
  if (facts.bitrate_bps) yield ["Bit rate", format.bitRate(facts.bitrate_bps)];
  if (facts.gop_s) yield ["Key frames", `one each ${format.rate(facts.gop_s)} s`];
  if (facts.transport) yield ["Comes over", facts.transport.toUpperCase()];
  if (facts.packets_lost) yield ["Packets lost", format.count(facts.packets_lost)];
  if (facts.server) yield ["Software", facts.server];
}

/** What is typed here is meant as it is, and no `${NAME}` of the environment's. */
const plain = (text) => text.replaceAll("${", "$${");

/** @returns {string} a title as it may stand in an address: `Front door` is `front-door` */
function nameOf(title) {
  const letters = title.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return letters.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 64);
}

/** @returns {string} the field that a key path such as `cameras.gate.sub.url` is about; empty for none */
function fieldOf(key) {
  const own = key.match(/^cameras\.(?:"(?:[^"\\]|\\.)*"|[^.]+)(?:\.(?<field>\w+))?/);
  return own ? (own.groups.field ?? "name") : "";
}

function make(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
