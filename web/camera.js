/** The page of one camera: its stage, and everything that can be known of the picture. */

import { cameraOfThisPage } from "./addresses.js";
import { Cameras } from "./cameras.js";
import { Chart } from "./chart.js";
import * as format from "./figures.js";
import { careFor } from "./page.js";
import { Player } from "./player.js";
import { Stage } from "./stage.js";
import { cameraState, sentAs, stateName } from "./words.js";

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
  path: (f) => [f.path, f.path || "–"],
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
}

function renderConnection() {
  const text = player.interrupted ? "Interrupted" : CONNECTION_NAMES[player.state];
  setData("connection", player.state, text);
  if (!player.peerConnection) renderFigures();
}

function renderCamera() {
  const camera = cameras.get(name);
  const state = cameraState(cameras, name);
  const title = camera?.title || name;
  document.title = `${title} · camgate`;
  document.querySelector("h1").textContent = title;
  const pill = document.querySelector("#camera-state");
  pill.dataset.state = state;
  const label = stateName(cameras, name);
  if (pill.textContent !== label) pill.textContent = label;
  setData("viewers", camera?.viewers ?? 0, format.count(camera?.viewers ?? 0));
  setData("reconnects", camera?.reconnects ?? 0, format.count(camera?.reconnects ?? 0));
  setData("source-rate", camera?.bitrate_bps ?? 0, format.bitRate(camera?.bitrate_bps ?? 0));
  setData("key-frames", camera?.gop_s ?? 0, keyFrames(camera));
}

/** The server knows why viewers get what they get, by codec. */
function codecAndWhy(codec) {
  return codec ? [codec, ...sentAs(cameras.get(name), codec)].join(", ") : "–";
}

function keyFrames(camera) {
  const pace = camera?.gop_s ? `every ${format.rate(camera.gop_s)} s` : "–";
  return camera?.gop_outgrows_cache ? `${pace}, too far apart to start at once` : pace;
}

player.addEventListener("change", renderConnection);
player.addEventListener("figures", renderFigures);
cameras.addEventListener("change", renderCamera);
cameras.addEventListener("server", renderCamera);
setInterval(() => Object.entries(charts).forEach(([field, chart]) => chart.push(player.figures[field])), 1_000);

new Stage(document.querySelector(".stage"), player, cameras);
careFor(cameras, () => [player]);
renderCamera();
renderConnection();
player.start();
