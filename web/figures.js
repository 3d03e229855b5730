/** Figures as a person reads them. */

const number = (digits) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const whole = number(0);
const tenths = number(1);
const hundredths = number(2);

export const count = (value) => whole.format(value);
export const rate = (value) => tenths.format(value);
export const percent = (share) => `${tenths.format(share * 100)} %`;

export function milliseconds(value) {
  if (value === null) return "–";
  return `${(value < 10 ? tenths : whole).format(value)} ms`;
}

export function bitRate(bitsPerSecond) {
  if (bitsPerSecond < 999_500) return `${whole.format(bitsPerSecond / 1e3)} kbit/s`;
  return `${hundredths.format(bitsPerSecond / 1e6)} Mbit/s`;
}

export function size(bytes) {
  if (bytes < 999_500) return `${whole.format(bytes / 1e3)} kB`;
  if (bytes < 999_500_000) return `${tenths.format(bytes / 1e6)} MB`;
  return `${hundredths.format(bytes / 1e9)} GB`;
}

/** A time that passes: "12 s", "3 min", "5 h 07 min", "12 d 3 h". */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const resolution = ({ width, height }) => (width ? `${width} × ${height}` : "–");
