/** What a page does for all its players: rest while nobody sees it, come back at once, and be open to inspection. */

/** A quick look at another tab should not cost a new connection. */
const HIDDEN_GRACE_MS = 10_000;

/** @param {() => import("./player.js").Player[]} players */
export function careFor(players) {
  let timer = 0;
  const sleep = () => players().filter((player) => !isFloating(player)).forEach((player) => player.sleep());
  const wake = () => {
    clearTimeout(timer);
    players().forEach((player) => player.wake());
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(sleep, HIDDEN_GRACE_MS);
    else wake();
  });
  addEventListener("online", wake);
  addEventListener("pagehide", () => players().forEach((player) => player.sleep()));
  addEventListener("pageshow", ({ persisted }) => persisted && wake());
  exposeForSupport(players);
}

const isFloating = (player) => document.pictureInPictureElement === player.video;

/** `camgate.players()` in the browser's console answers most questions of a support case. */
function exposeForSupport(players) {
  window.camgate = Object.freeze({
    players: () => players().map(({ camera, state, figures, problem }) => ({ camera, state, figures, problem })),
    peerConnections: () => players().map((player) => player.peerConnection).filter(Boolean),
  });
}
