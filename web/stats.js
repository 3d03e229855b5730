/**
 * getStats() reports in, figures out. Rates are taken over a short sliding window, so they are steady while pictures
 * flow and 0 soon after they stop. No clock of its own: reports carry their time.
 */

/** Two seconds are a common distance of key frames, and an ended stream shows 0 after three. */
const WINDOW_MS = 2_000;

/** @typedef {ReturnType<typeof emptyFigures>} Figures */
export const emptyFigures = () => ({
  bitsPerSecond: 0,
  packetsPerSecond: 0,
  framesPerSecond: 0,
  lossShare: 0,
  packets: 0,
  bytes: 0,
  frames: 0,
  packetsLost: 0,
  framesDropped: 0,
  freezes: 0,
  jitterMs: 0,
  delayMs: null,
  roundTripMs: null,
  codec: "",
  width: 0,
  height: 0,
  path: null,
});

export class StatsWindow {
  #samples = [];
  #onTheWayMs = null;

  /** Takes what one picture took from its last packet to the screen, a sample for the next figures. */
  timed(milliseconds) {
    this.#onTheWayMs = milliseconds;
  }

  /** @param {RTCStatsReport} report @returns {Figures} */
  receive(report) {
    const inbound = find(report, (entry) => entry.type === "inbound-rtp" && entry.kind === "video");
    if (!inbound) return emptyFigures();
    const then = this.#slide(inbound);
    const seconds = (inbound.timestamp - then.timestamp) / 1000;
    const gained = (field) => (inbound[field] ?? 0) - (then[field] ?? 0);
    const rate = (field) => (seconds > 0 ? gained(field) / seconds : 0);
    const pair = selectedPair(report);
    return {
      bitsPerSecond: rate("bytesReceived") * 8,
      packetsPerSecond: rate("packetsReceived"),
      framesPerSecond: rate("framesDecoded"),
      lossShare: lossShare(gained("packetsLost"), gained("packetsReceived")),
      packets: inbound.packetsReceived ?? 0,
      bytes: inbound.bytesReceived ?? 0,
      frames: inbound.framesDecoded ?? 0,
      packetsLost: inbound.packetsLost ?? 0,
      framesDropped: inbound.framesDropped ?? 0,
      freezes: inbound.freezeCount ?? 0,
      jitterMs: gained("packetsReceived") > 0 ? (inbound.jitter ?? 0) * 1000 : 0,
      delayMs: this.#delayMs(gained, pair),
      roundTripMs: milliseconds(pair?.currentRoundTripTime),
      codec: codecName(report.get(inbound.codecId)),
      width: inbound.frameWidth ?? 0,
      height: inbound.frameHeight ?? 0,
      path: pathOf(report, pair),
    };
  }

  /** Half a round trip, and from a picture's packets to the screen; null when no frame came in the window. */
  #delayMs(gained, pair) {
    const frames = gained("framesDecoded");
    if (frames <= 0) return null;
    const toDecoded = gained("totalProcessingDelay") || gained("totalDecodeTime") + gained("jitterBufferDelay");
    const here = this.#onTheWayMs ?? (toDecoded / frames) * 1000;
    this.#onTheWayMs = null;
    // The browser takes arrival and screen by two clocks: a fast picture can be some milliseconds less than no time.
    return Math.max(0, ((pair?.currentRoundTripTime ?? 0) / 2) * 1000 + here);
  }

  /** Takes the newest sample in and returns the oldest that is still inside the window. */
  #slide(sample) {
    this.#samples.push(sample);
    const horizon = sample.timestamp - WINDOW_MS * 1.1; // timers run late by some milliseconds
    while (this.#samples[0].timestamp < horizon) this.#samples.shift();
    return this.#samples[0];
  }
}

function find(report, fits) {
  for (const entry of report.values()) if (fits(entry)) return entry;
  return undefined;
}

function selectedPair(report) {
  const transport = find(report, (entry) => entry.type === "transport");
  return (
    report.get(transport?.selectedCandidatePairId) ??
    find(report, (entry) => entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded")
  );
}

/** Lost packets may be found again, so a window's loss can be negative (RFC 3550 appendix A.3): that counts as none. */
function lossShare(lost, received) {
  const expected = lost + received;
  return expected > 0 ? Math.max(lost, 0) / expected : 0;
}

const milliseconds = (seconds) => (seconds === undefined ? null : seconds * 1000);

/** Only the name: the profile in the session description is a label for matching, often not the stream's own. */
function codecName(codec) {
  const name = codec?.mimeType.split("/")[1] ?? "";
  return { H264: "H.264", H265: "H.265" }[name] ?? name;
}

/**
 * How media comes.
 * @typedef {{protocol: string, address: string, port: number, relay: {url: string, protocol: string} | null}} Path
 *   `protocol`, `address`: the server's end of it, such as "UDP" and "192.0.2.7:8108"; `relay`: the TURN server in
 *   between, and how this browser reaches that
 */
function pathOf(report, pair) {
  const remote = report.get(pair?.remoteCandidateId);
  if (!remote) return null;
  const local = report.get(pair.localCandidateId);
  const host = remote.address?.includes(":") ? `[${remote.address}]` : remote.address;
  const isRelayed = local?.candidateType === "relay";
  return {
    protocol: remote.protocol.toUpperCase(),
    address: `${host}:${remote.port}`,
    port: remote.port,
    relay: isRelayed ? { url: local.url ?? "", protocol: (local.relayProtocol ?? "").toUpperCase() } : null,
  };
}
