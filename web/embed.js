/**
 * The bare player, for dashboards. The page's address may say `?fit=cover` (fill the frame, cut the edges) and
 * `?controls=no`.
 */

import { cameraOfThisPage } from "./addresses.js";
import { Cameras } from "./cameras.js";
import { careFor } from "./page.js";
import { Player } from "./player.js";
import { Stage } from "./stage.js";

const name = cameraOfThisPage();
const wishes = new URLSearchParams(location.search);
const root = document.querySelector(".stage");
const cameras = new Cameras(name);
const player = new Player(name, document.querySelector("video"), cameras);

function renderTitle() {
  const title = cameras.get(name)?.title || name;
  document.title = title;
  player.video.setAttribute("aria-label", `Picture of ${title}`);
}

if (wishes.get("fit") === "cover") root.dataset.fit = "cover";
if (wishes.get("controls") === "no") root.querySelector(".controls").remove();
cameras.addEventListener("change", renderTitle);

new Stage(root, player, cameras);
careFor(cameras, () => [player]);
renderTitle();
player.start();
