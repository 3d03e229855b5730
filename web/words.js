/** Why no picture shows, in words: what is so, what it means, and what can be done. No state of its own. */

import { isRelayOnly } from "./ice.js";

/** How the state of a camera is called, on every page. */
const STATE_NAMES = {
  live: "Live",
  idle: "On demand",
  connecting: "Connecting",
  stalled: "Stalled",
  backoff: "Away",
  stopped: "Stopped",
  unhealthy: "Unhealthy",
  unknown: "Unknown",
};

/** @returns {string} the word beside the camera's name */
export function stateName(cameras, name) {
  const mark = cameraMark(cameras, name);
  const camera = cameras.get(name);
  return mark !== "unknown" && camera && mistake(camera) ? "Needs attention" : (STATE_NAMES[mark] ?? mark);
}

/** @returns {string} the camera's state as it is marked: `unhealthy` for one that is live, but not well */
export function cameraMark(cameras, name) {
  const state = cameraState(cameras, name);
  return state === "live" && ailment(cameras, name) ? "unhealthy" : state;
}

/** @returns {string} why somebody should look after the camera, as a sentence; empty where nobody needs to */
export function ailment(cameras, name) {
  const camera = cameras.get(name);
  const isIll = cameras.serverAnswers !== false && !cameras.signedOut && camera?.healthy === false;
  return isIll ? sentence(camera.health_reason ?? "it is not well") : "";
}

/** @returns {string} the camera's state, `unknown` while the server is lost */
export function cameraState(cameras, name) {
  const isLost = cameras.serverAnswers === false || cameras.signedOut;
  return isLost ? "unknown" : (cameras.get(name)?.state ?? "unknown");
}

/**
 * @typedef {{headline: string, detail: string, mood: "busy" | "calm" | "away" | "bad", aside?: string}} Words
 *   `aside` counts seconds, so screen readers are not told it.
 * @param {import("./player.js").Player} player
 * @param {import("./cameras.js").Cameras} cameras
 * @returns {Words | null} null when pictures flow
 */
export function explain(player, cameras) {
  if (player.isBlocked && ["waiting", "playing", "frozen"].includes(player.state)) return blocked();
  switch (player.state) {
    case "playing":
      return player.interrupted ? interrupted() : null;
    case "idle":
      return signedOut(cameras) ?? cameraAway(player, cameras) ?? calm("Not connected", "Connect to see the picture.");
    case "connecting":
      return connecting(player, cameras);
    case "waiting":
      return cameraAway(player, cameras) ?? waiting(cameras.get(player.camera));
    case "frozen":
      return frozen(player, cameras);
    case "retrying":
      return retrying(player, cameras);
    default:
      return failed(player);
  }
}

/**
 * Why a viewer gets another stream than the camera's own, and who makes it.
 * @param {import("./cameras.js").Camera | undefined} camera
 * @param {string} codec of the picture that comes, as the page calls it
 * @returns {string[]} clauses; none where the picture comes as the camera sends it
 */
export function sentAs(camera, codec) {
  const plain = codec.replace(".", "");
  const sent = camera?.sent?.find((each) => each.codec === plain && each.way !== "as-is");
  if (!sent) return [];
  const made = sent.way === "transcoded" ? camera.transcoders?.find((each) => each.codec === plain) : undefined;
  return made ? [sent.why, ...encoderWords(made)] : [sent.why];
}

/** @param {import("./stats.js").Path | null} path @returns {string} how media comes, for a line of the statistics */
export function pathName(path) {
  if (!path) return "–";
  const way = `${path.protocol} ${path.address}`;
  return path.relay ? `${way} by TURN server ${hostOf(path.relay.url)} over ${path.relay.protocol}` : way;
}

/** @returns {string} what is worth knowing of that, as a sentence; empty for the usual way */
export function pathNote(path) {
  if (path?.relay) {
    const why = isRelayOnly ? "This page was told to use TURN servers only" : `No UDP on port ${path.port}`;
    return `${why}: playing over a TURN server. Pictures come a little later.`;
  }
  if (path?.protocol === "TCP") return `No UDP on port ${path.port}: playing over TCP. Lost packets cost more time there.`;
  return "";
}

const hostOf = (url) => url.replace(/^\w+:/, "").replace(/\?.*$/, "");

function encoderWords({ encoder, is_hardware: hardware, delay_s: delay, last_error: error }) {
  const words = encoder ? [`by ${encoder} in ${hardware ? "hardware" : "software"}`] : ["the encoder starts"];
  if (delay) words.push(`${Math.round(delay * 1000)} ms later`);
  if (error) words.push(`started again as ${error}`);
  return words;
}

/** @returns {Words | null} */
const signedOut = (cameras) => (cameras.signedOut ? bad("Signed out", "Sign in again to see the cameras.") : null);

/** The server as a whole, for the banner of the wall. @returns {Words | null} */
export function serverGone(cameras) {
  if (cameras.signedOut) return signedOut(cameras);
  if (cameras.serverAnswers !== false) return null;
  if (cameras.loginsDown) {
    const reason = "The server that knows who may does not answer camgate; you are not signed out.";
    return away("Logins cannot be checked right now", `${reason} This page goes on by itself.`);
  }
  if (cameras.farewell) return away("The server has stopped", "This page connects again by itself when it is back.");
  const reason = "It is down, or the network to it is.";
  return away("The server does not answer", `${reason} This page connects again by itself.`);
}

/** What waiting does not mend, by the server's word for it, and what does. */
const MISTAKES = {
  refused: {
    headline: "The camera refuses us",
    remedy: "Correct the camera's entry in the configuration and restart camgate.",
  },
  video: {
    headline: "The camera's video cannot be shown",
    remedy: "The picture comes by itself once the camera is set so.",
  },
  certificate: {
    headline: "The camera's certificate is not trusted",
    remedy: "Write that into the camera's entry in the configuration and restart camgate, or give it a certificate.",
  },
  "no-rtsp": {
    headline: "No camera answers at this address",
    remedy: "Look after the camera, and check its address and port in the configuration.",
  },
};

function mistake({ state, last_error: error, needs_attention: attention }) {
  const found = ["backoff", "connecting", "idle"].includes(state) ? MISTAKES[attention] : null;
  return found ? bad(found.headline, `${sentence(error)} ${found.remedy}`) : null;
}

function cameraAway(player, cameras) {
  const camera = cameras.get(player.camera);
  if (!camera) return null;
  const unsettled = mistake(camera);
  if (unsettled) return unsettled;
  const error = camera.last_error ? `${sentence(camera.last_error)} ` : "";
  switch (camera.state) {
    case "connecting":
      return busy("Reaching the camera", error || (camera.demand ? "It is connected while somebody watches." : ""));
    case "stalled":
      return away("The camera has gone silent", `${error}The picture will return by itself.`);
    case "backoff":
      return away("The camera is away", `${error}The picture will return by itself when the camera does.`);
    case "stopped":
      return away("The camera is switched off", `${error}It is stopped on the server.`);
    default:
      return null; // live, or idle and woken by the first viewer
  }
}

/** Most cameras send a key frame each second or two, so before that its age is no news. */
const OLD_KEY_FRAME_S = 3;

/** A picture begins at a key frame, and the server keeps only so much since the last one. */
function waiting(camera) {
  if (camera?.state !== "live" || camera.cache_frames !== 0) return busy("Connected", "The first picture is on its way.");
  const age = camera.key_frame_age_s;
  const last = age >= OLD_KEY_FRAME_S ? `The last one came ${Math.round(age)} s ago. ` : "";
  const pace = `${last}${camera.gop_s ? `It sends one every ${Math.round(camera.gop_s)} s, and only there` : "Only there"}`;
  const remedy = camera.gop_outgrows_cache
    ? " Set a shorter key frame interval in the camera, two seconds say, and pictures come at once."
    : "";
  return busy("Waiting for the camera's next key frame", `${pace} can a picture begin.${remedy}`);
}

function frozen(player, cameras) {
  if (player.interrupted) return interrupted();
  const words =
    serverGone(cameras) ??
    cameraAway(player, cameras) ??
    away(
      "The picture stands still",
      ailment(cameras, player.camera) || "The connection is up, but no new picture comes. It will return by itself.",
    );
  return { ...words, aside: `Last picture ${secondsSince(player.lastPictureAt)} ago.` };
}

/**
 * An attempt after a refusal takes a blink, and one that finds no path 10 s, of which nothing new is known: the words
 * stay, so that they do not flicker.
 */
function connecting(player, cameras) {
  const words = serverGone(cameras) ?? cameraAway(player, cameras);
  if (words) return words;
  if (["refused", "no-path", "no-keys"].includes(player.problem?.kind)) {
    return { ...connectionFailed(player, cameras), aside: "Trying again now." };
  }
  return busy("Connecting", "");
}

function failed({ camera, problem }) {
  if (problem.status === 401 || problem.code === "not-permitted") return refused(problem);
  if (problem.code === "no-common-codec") return bad("No picture in this browser", noCodec(problem.message));
  if (problem.code !== "unknown-camera") return bad("No picture in this browser", sentence(problem.message));
  return bad("No such camera", `There is no camera “${camera}” here. It may have been renamed or removed.`);
}

/** The server says what it has and what this browser offered; why that lacks H.264 only the browser knows. */
function noCodec(message) {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs;
  const lacksH264 = codecs && !codecs.some((codec) => codec.mimeType.toLowerCase() === "video/h264");
  const firefox = lacksH264 ? " Firefox fetches its H.264 decoder some minutes after its first start." : "";
  return `${sentence(message)}${firefox} The picture comes by itself once the camera sends another.`;
}

function retrying(player, cameras) {
  const camera = player.problem.kind === "refused" ? cameraAway(player, cameras) : null;
  return camera ?? { ...connectionFailed(player, cameras), aside: countdown(player.retryAt) };
}

function connectionFailed(player, cameras) {
  const { kind, message, path } = player.problem;
  if (kind === "no-path") return noPath(path);
  if (kind === "no-keys") return noKeys();
  const gone = serverGone(cameras);
  if (gone) return gone;
  return kind === "refused" ? refused(player.problem) : away("The connection is gone", sentence(message));
}

/** In a viewer's words; the server's own speak to whoever runs it. */
function refused({ code, message }) {
  switch (code) {
    case "too-many-viewers":
      return calm("All viewer places are taken", "The picture comes by itself when a place is free.");
    case "camera-full":
      return calm("All viewer places of this camera are taken", "The picture comes by itself when a place is free.");
    case "too-many-of-user":
      return calm("You watch as many pictures as you may", "Close another one, and this one comes by itself.");
    case "too-many-requests":
      return calm("Too much at once", "This network asks for more than the server gives at a time. It goes on by itself.");
    case "machine-at-limit":
    case "too-many-joins":
      return calm(
        "The server is at its limit",
        "One more picture would be at the cost of those who watch already. This one comes by itself when there is room.",
      );
    case "too-many-transcoders":
      return calm(
        "The server is at its limit",
        "This browser cannot play what the camera sends, and the server makes as many other pictures as it may. " +
          "This one comes by itself when there is room.",
      );
    case "signed-out":
    case "login-refused":
      return bad("Signed out", "Sign in again to see the picture, or ask for a new link.");
    case "too-many-logins":
    case "too-many-logins-at-once":
      return away("Signing in has to wait", `${sentence(message)} The picture comes by itself then.`);
    case "not-permitted":
      return bad("Not permitted", "You may not watch this camera. Ask whoever runs the server.");
    case "camera-offline":
      return away("The camera sends no picture", "The picture will return by itself when the camera does.");
    default:
      return away("No picture at the moment", sentence(message));
  }
}

/** What was tried, what is the matter with it, and who can do what. @param {import("./whep.js").TriedPath} path */
function noPath(path) {
  const tried = `this browser cannot reach ${byProtocols(path.addresses).join(", or ") || "the video port"}`;
  if (path.isLocalRefused) {
    return bad(
      "The browser keeps this page from the local network",
      `The server answered, but ${tried}: its addresses are in the local network, and ` +
        "this page may not reach that. Allow “Local network access” for this page in the browser's site settings " +
        "(the icon before the address), then try again. Or open the page by the server's local address.",
    );
  }
  const relay = relayWords(path);
  if (path.isRelayOnly) return bad("The TURN server does not help", `This page was told to use TURN servers only. ${relay}`);
  return bad(
    "The video cannot get through",
    `The server answered, but ${tried}. ${firewallAdvice(path)} ${relay}` +
      "If the server has another address, name it in webrtc.advertise. docs/connectivity.md has every case.",
  );
}

/** "UDP a" and "TCP a" are "UDP and TCP a". */
function byProtocols(addresses) {
  const protocols = new Map();
  for (const [protocol, address] of addresses.map((each) => each.split(" "))) {
    protocols.set(address, [...(protocols.get(address) ?? []), protocol]);
  }
  return [...protocols].map(([address, names]) => `${names.join(" and ")} ${address}`);
}

function firewallAdvice({ addresses }) {
  const ports = [...new Set(addresses.map((address) => `${address.split(" ")[0]} ${address.split(":").pop()}`))];
  const port = ports.length ? `Open ${ports.join(" and ")}` : "Open the video port";
  return `${port} in the firewall, and map it if the server runs in a container.`;
}

/** Codes of STUN (RFC 8489 section 14.8, RFC 8656 section 18), and 701 of browsers: no answer. */
function relayWords({ relays, relayErrors, isRelayed, isRelayOnly: isOnly }) {
  if (isRelayed) {
    return "The TURN server took the login, and could not reach these addresses either: see its allowed-peer-ip. ";
  }
  if (!relays) return isOnly ? "But the server names none: configure one as [webrtc.turn.NAME]. " : "";
  const errors = relayErrors.filter(({ url }) => /^turns?:/i.test(url));
  const refused = errors.find(({ code }) => [401, 403, 438, 441].includes(code));
  if (refused) {
    return (
      `The TURN server ${refused.url} refuses the login (${refused.code}${refused.text ? ` ${refused.text}` : ""}): ` +
      "compare its secret with that of webrtc.turn, and both machines' clocks. "
    );
  }
  const full = errors.find(({ code }) => [486, 508].includes(code));
  if (full) return `The TURN server ${full.url} has no place for one more (${full.code}). `;
  const other = errors.find(({ code }) => code !== 701);
  if (other) return `The TURN server ${other.url} cannot be used (${other.code} ${other.text}). `;
  return `The TURN server${errors.length ? ` ${errors[0].url}` : ""} does not answer: see whether it runs, and its port is open. `;
}

/** The checks of the path were answered, so it is not the network as a whole. */
function noKeys() {
  return bad(
    "The encrypted connection cannot be set up",
    "Small packets get through, but no keys for the video could be agreed on (DTLS). A firewall or a VPN may drop larger " +
      "packets, or change them. The server's log says what it has seen.",
  );
}

/** Browsers on battery, or set so, start no video by themselves, not even a silent one. */
const blocked = () => calm("The browser waits for you", "It starts no video by itself: press “Play” on the camera's page.");

const interrupted = () => away("The connection is interrupted", "Waiting for the server to be heard again.");

const busy = (headline, detail) => ({ headline, detail, mood: "busy" });
const calm = (headline, detail) => ({ headline, detail, mood: "calm" });
const away = (headline, detail) => ({ headline, detail, mood: "away" });
const bad = (headline, detail) => ({ headline, detail, mood: "bad" });

const countdown = (at) => `Trying again in ${Math.max(0, Math.ceil((at - Date.now()) / 1000))} s.`;
const secondsSince = (moment) => `${Math.round((performance.now() - moment) / 1000)} s`;

/** A clause from the server as a sentence. */
/** @returns {string} a clause of the server's as a sentence */
export function sentence(text) {
  const capitalised = text.trim().replace(/^\p{Ll}/u, (letter) => letter.toUpperCase());
  return /[.!?]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}
