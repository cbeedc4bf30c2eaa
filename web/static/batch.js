// Live progress of a batch: rows that are through, rows a second, time that is left. A new stage loads the page again.
const live = document.querySelector("#live");
const bar = live.querySelector("progress");
const told = live.querySelector("[role=status]");
const language = document.documentElement.lang;
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const seen = []; // [time, rows] of the last seconds

function line(done, of) {
  const now = performance.now();
  seen.push([now, done]);
  while (seen.length > 2 && now - seen[0][0] > 10_000) seen.shift();
  const [start, first] = seen[0];
  const rate = ((done - first) / (now - start)) * 1000;
  const parts = [`${number.format(done)} ${live.dataset.of} ${number.format(of)}`];
  if (rate > 0) {
    parts.push(`${number.format(rate)} ${live.dataset.rate}`);
    const left = Math.ceil((of - done) / rate);
    const time = left < 60 ? [left, "second"] : [Math.ceil(left / 60), "minute"];
    const shown = new Intl.NumberFormat(language, { style: "unit", unit: time[1], unitDisplay: "long" });
    parts.push(`${shown.format(time[0])} ${live.dataset.left}`);
  }
  return parts.join(" · ");
}

const events = new EventSource(live.dataset.events);
function look(event) {
  const batch = JSON.parse(event.data);
  const { stage, done, of } = batch.progress;
  if (stage !== live.dataset.stage || event.type === "end") {
    events.close();
    location.reload();
    return;
  }
  if (of && ["previewing", "running", "exporting"].includes(stage)) {
    bar.max = of;
    bar.value = done;
    told.textContent = line(done, of);
  }
}
events.addEventListener("progress", look);
events.addEventListener("end", look);
addEventListener("pagehide", () => events.close());
