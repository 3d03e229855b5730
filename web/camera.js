/** The page of one camera: its stage, and everything that can be known of the picture. */

import { cameraOfThisPage } from "./addresses.js";
import { Cameras } from "./cameras.js";
import { Chart } from "./chart.js";
import * as format from "./figures.js";
import { careFor } from "./page.js";
import { Player } from "./player.js";
import { offerSharing } from "./sharing.js";
import { Stage } from "./stage.js";
import { ailment, cameraMark, pathName, pathNote, sentAs, stateName } from "./words.js";

const name = cameraOfThisPage();
const cameras = new Cameras(name);
const player = new Player(name, document.querySelector("video"), cameras);
const charts = {
  bitsPerSecond: new Chart(document.querySelector("#bit-rate-chart")),
  framesPerSecond: new Chart(document.querySelector("#frame-rate-chart")),
};

/** What is shown of the player's figures; the raw value stands beside the text in the element's `value`. */
const FIGURES = {
  "bit-rate": (f) => [f.bitsPerSecond, format.bitRate(f.bitsPerSecond)],
  "frame-rate": (f) => [f.framesPerSecond, `${format.rate(f.framesPerSecond)} fps`],
  resolution: (f) => [f.height, format.resolution(f)],
  codec: (f) => [f.codec, codecAndWhy(f.codec)],
  frames: (f) => [f.frames, format.count(f.frames)],
  dropped: (f) => [f.framesDropped, format.count(f.framesDropped)],
  packets: (f) => [f.packets, format.count(f.packets)],
  bytes: (f) => [f.bytes, format.size(f.bytes)],
  loss: (f) => [f.lossShare, `${format.percent(f.lossShare)} · ${format.count(f.packetsLost)} lost`],
  jitter: (f) => [f.jitterMs, format.milliseconds(f.jitterMs)],
  delay: (f) => [f.delayMs ?? "", format.milliseconds(f.delayMs)],
  "round-trip": (f) => [f.roundTripMs ?? "", format.milliseconds(f.roundTripMs)],
  path: (f) => [f.path?.relay ? "relay" : (f.path?.protocol ?? ""), pathName(f.path)],
};

const CONNECTION_NAMES = {
  idle: "Disconnected",
  connecting: "Connecting",
  waiting: "Connected",
  playing: "Connected",
  frozen: "Connected, no picture",
  retrying: "Not connected",
  failed: "Not possible",
};

function setData(id, value, text) {
  const element = document.getElementById(id);
  element.value = value;
  if (element.textContent !== text) element.textContent = text;
}

function renderFigures() {
  for (const [id, read] of Object.entries(FIGURES)) setData(id, ...read(player.figures));
  setParagraph("path-note", pathNote(player.figures.path));
}

function setParagraph(id, words) {
  const paragraph = document.getElementById(id);
  paragraph.hidden = !words;
  if (paragraph.textContent !== words) paragraph.textContent = words;
}

function renderConnection() {
  const text = player.interrupted ? "Interrupted" : CONNECTION_NAMES[player.state];
  setData("connection", player.state, text);
  if (!player.peerConnection) renderFigures();
}

function renderCamera() {
  const camera = cameras.get(name);
  const title = camera?.title || name;
  document.title = `${title} · camgate`;
  document.querySelector("h1").textContent = title;
  const pill = document.querySelector("#camera-state");
  pill.dataset.state = cameraMark(cameras, name);
  const label = stateName(cameras, name);
  if (pill.textContent !== label) pill.textContent = label;
  const words = ailment(cameras, name);
  setParagraph("ailment", words);
  for (const [id, read] of Object.entries(CAMERA_FIGURES)) setData(id, ...(camera ? read(camera) : ["", "–"]));
  document.querySelector("#last-error").closest("div").hidden = !camera?.last_error || Boolean(words);
}

/** The server knows why viewers get what they get, by codec. */
function codecAndWhy(codec) {
  return codec ? [codec, ...sentAs(cameras.get(name), codec)].join(", ") : "–";
}

const TRANSPORTS = { tcp: "TCP", udp: "UDP", tls: "TLS", http: "HTTP tunnel", https: "HTTPS tunnel" };

/** What the server says of the camera, the raw value and the text. */
const CAMERA_FIGURES = {
  viewers: (c) => [c.viewers, format.count(c.viewers)],
  uptime: (c) => [c.uptime_s, c.uptime_s ? format.duration(c.uptime_s) : "–"],
  reconnects: (c) => [c.reconnects, format.count(c.reconnects)],
  "source-rate": (c) => [c.bitrate_bps, format.bitRate(c.bitrate_bps)],
  "source-frames": (c) => [c.fps, frames(c)],
  "frame-age": (c) => [c.frame_age_s ?? "", age(c.frame_age_s)],
  "key-frames": (c) => [c.gop_s ?? 0, keyFrames(c)],
  transport: (c) => [c.transport ?? "", TRANSPORTS[c.transport] ?? "–"],
  sound: (c) => [c.audio?.codec ?? "", soundName(c.audio)],
  "source-loss": (c) => [c.packets_lost, loss(c)],
  "last-error": (c) => [c.last_error ?? "", c.last_error ?? ""],
};

const age = (seconds) => (seconds === null ? "–" : seconds < 1 ? "now" : `${format.duration(seconds)} ago`);

function soundName(audio) {
  const names = { OPUS: "Opus", PCMA: "G.711", PCMU: "G.711", G722: "G.722", "MPEG4-GENERIC": "AAC", "MP4A-LATM": "AAC" };
  if (!audio) return "none";
  const name = names[audio.codec] ?? audio.codec;
  return audio.made_into ? `${name}, made into ${names[audio.made_into]} for browsers` : name;
}

function frames({ fps, expected_fps: expected }) {
  return expected ? `${format.rate(fps)} of ${format.rate(expected)}` : format.rate(fps);
}

function loss({ loss: share, packets_lost: lost, frames_damaged: damaged }) {
  if (!lost && !damaged) return "none";
  return `${format.percent(share)} now · ${format.count(lost)} packets, ${format.count(damaged)} frames in all`;
}

function keyFrames({ gop_s: gop, gop_outgrows_cache: outgrows, key_frame_age_s: since }) {
  const pace = gop ? `every ${format.rate(gop)} s` : "–";
  const late = since !== null && since > Math.max(2 * (gop ?? 0), 5) ? `, none for ${format.duration(since)}` : "";
  return outgrows ? `${pace}${late}, too far apart to start at once` : `${pace}${late}`;
}

player.addEventListener("change", renderConnection);
player.addEventListener("figures", renderFigures);
cameras.addEventListener("change", renderCamera);
cameras.addEventListener("server", renderCamera);
setInterval(() => Object.entries(charts).forEach(([field, chart]) => chart.push(player.figures[field])), 1_000);

new Stage(document.querySelector(".stage"), player, cameras);
careFor(cameras, () => [player]);
offerSharing(document.querySelector(".bar"), name);
renderCamera();
renderConnection();
player.start();
