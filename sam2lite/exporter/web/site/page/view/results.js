// What was found so far, and the file that it is downloaded as.

const MOST_FRAMES = 20_000; // a quarter of an hour, some tens of MB

export class Results {
  /** @type {Map<number, any>} by frame */
  records = new Map();

  clear() {
    this.records.clear();
  }

  /** Take in a frame, or what a correction made of it. @param {any} record */
  add(record) {
    const before = this.records.get(record.index);
    // A prompt alone is not a frame's time.
    const { compute_ms, stage_ms } = record.compute_ms === null && before ? before : record;
    this.records.set(record.index, { ...record, compute_ms, stage_ms });
    const [oldest] = this.records.keys();
    if (this.records.size > MOST_FRAMES) this.records.delete(oldest);
  }

  /** The file's text. @param {any} header tells of the run */
  text(header) {
    const lines = [...this.records.values()].map((record) => JSON.stringify(record));
    return `${JSON.stringify(header, null, 1).slice(0, -2)},\n "frames": [\n${lines.join(",\n")}\n]\n}\n`;
  }

  /** Hand the file to the user. @param {any} header */
  download(header) {
    const url = URL.createObjectURL(new Blob([this.text(header)], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "results.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}
