/** What a page does for its players: rest while nobody sees it, come back at once, and be open to inspection. */

import { tellOfSession } from "./session.js";

/** A quick look at another tab should not cost a new connection. */
const HIDDEN_GRACE_MS = 10_000;

/**
 * @param {import("./cameras.js").Cameras} cameras
 * @param {() => import("./player.js").Player[]} players
 */
export function careFor(cameras, players) {
  let timer = 0;
  const all = () => [cameras, ...players()];
  const sleep = () => all().forEach((each) => each.sleep());
  const wake = () => {
    clearTimeout(timer);
    all().forEach((each) => each.wake());
  };
  const rest = () => {
    clearTimeout(timer);
    timer = setTimeout(() => document.pictureInPictureElement || sleep(), HIDDEN_GRACE_MS);
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : wake()));
  document.addEventListener("leavepictureinpicture", () => document.hidden && rest());
  addEventListener("online", () => document.hidden || wake());
  // Nothing may stay open: neither a session on the server, nor a socket, which bars the back/forward cache.
  addEventListener("pagehide", sleep);
  addEventListener("pageshow", ({ persisted }) => persisted && wake());
  tellOfSession(cameras);
  exposeForSupport(players);
  cameras.wake();
  if (document.hidden) rest(); // opened in a background tab
}

/** `camgate.players()` in the browser's console answers most questions of a support case. */
function exposeForSupport(players) {
  window.camgate = Object.freeze({
    players: () => players().map(describe),
    peerConnections: () => players().map((player) => player.peerConnection).filter(Boolean),
  });
}

const describe = ({ camera, state, figures, problem }) => ({ camera, state, figures, problem: problem?.message ?? "" });
