"use strict";
// Unpack the evidence, and show that of a cell when it is opened.

const dialog = document.getElementById("evidence");
const body = document.getElementById("evidence-body");
let known = null; // { runs, faults, profiles }

async function unpack() {
  const packed = atob(document.getElementById("packed").textContent.trim());
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  known = JSON.parse(await new Response(stream).text());
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function table(head, rows, classOf = () => "") {
  const made = element("table");
  const top = made.createTHead().insertRow();
  head.forEach((name) => top.append(element("th", name)));
  const lines = made.createTBody();
  rows.forEach((row) => {
    const line = lines.insertRow();
    line.className = classOf(row);
    row.forEach((value) => line.append(element("td", value)));
  });
  const scroll = element("div", null, { class: "scroll" });
  scroll.append(made);
  return scroll;
}

function seconds(value) {
  return value === null ? "-" : `${value.toFixed(1)} s`;
}

function facts(run) {
  const list = element("dl");
  const add = (name, value) => list.append(element("dt", name), element("dd", value));
  add("Ending", run.ending + (run.expected ? ", as expected" : ", not as expected"));
  if (run.missed.length) add("Missed", run.missed.join("; "));
  if (run.error) add("Error", run.error);
  if (run.found) {
    const found = run.found;
    add("Rolls", `${found.done} of ${found.rolls} printed, ${found.lost} lost`);
    const again = Object.entries(found.repeated).map(([item, n]) => `${item} ${n} time${n > 1 ? "s" : ""}`);
    add("Executed again", again.length ? again.join(", ") : "none");
    add("Two at a time", found.overlapping.length ? found.overlapping.join(", ") : "none");
    add("Files, rows", `${found.files} files (${found.wrong_files.length} wrong), ${found.rows} rows`);
    add("Fan-in", found.total === null ? "never came"
      : `${found.sums} time${found.sums === 1 ? "" : "s"}: ${found.parts} parts, ${found.total} pages; expected ${found.rolls} and ${found.expected_total}`);
    add("Attempts at the step struck", run.attempts);
  }
  add("Engine's word for the run", run.shown || "-");
  add("The caller was told", run.told || "-");
  add("Noticed, after the fault", seconds(run.detected));
  add("Alerts, after the fault", run.alerts === null ? "nobody watched"
    : run.alerts.map(([name, after]) => `${name} ${after.toFixed(1)} s`).join(", ") || "none");
  add("Healed, after the fault", seconds(run.healed));
  add("Whole, after the fault", seconds(run.completed));
  add("Whole, after the heal", seconds(run.completed_after_heal));
  return list;
}

function show(run, place) {
  place.replaceChildren(facts(run));
  place.append(element("h3", "Timeline, seconds from the fault"));
  place.append(table(["s", "what", "process"], run.timeline.map(([at, what, who]) => [at.toFixed(2), what, who]),
    (row) => (row[1].startsWith("FAULT") ? "struck" : row[2] === "" ? "mark" : "")));
  place.append(element("h3", "Ledger"));
  place.append(table(["step", "item", "attempt", "process", "begun", "committed"],
    run.ledger.map(([step, item, attempt, who, begun, done]) => [step, item, attempt, who, begun.toFixed(2), done.toFixed(2)])));
  for (const [name, lines] of Object.entries(run.logs)) {
    place.append(element("h3", `Log of ${name}`), element("pre", lines.join("\n")));
  }
}

function open(faultId, profileName) {
  const fault = known.faults.find((each) => each.id === faultId);
  const profile = known.profiles.find((each) => each.name === profileName);
  const runs = known.runs.filter((run) => run.fault === faultId && run.profile === profileName);
  const expected = fault.expects[profileName];
  const why = fault.meaningless[profileName];
  body.replaceChildren(element("h2", `${fault.id} ${fault.title}: ${profile.title}`, { id: "evidence-title" }));
  body.append(element("p", fault.what));
  if (why) body.append(element("p", `Does not apply: ${why}.`));
  if (expected) body.append(element("p", `Expected: ${expected.endings.join(" or ")}, because ${expected.why}.`, { class: "note" }));
  const choice = element("div", null, { class: "runs" });
  const place = element("div");
  runs.forEach((run, number) => {
    const button = element("button", `${run.repetition}: ${run.phase}`, {
      type: "button", class: `cell ${run.ending.replace(" ", "-")}${run.missed.length ? " missed" : ""}`, "aria-pressed": "false",
    });
    button.addEventListener("click", () => {
      choice.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      show(run, place);
    });
    choice.append(button);
    if (number === 0) queueMicrotask(() => button.click());
  });
  body.append(choice, place);
  dialog.showModal();
  dialog.scrollTop = 0;
}

async function main() {
  await unpack();
  document.querySelectorAll("#matrix .cell").forEach((cell) => {
    cell.addEventListener("click", () => open(cell.dataset.fault, cell.dataset.profile));
  });
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  document.getElementById("verdict").append(` The evidence could not be unpacked (${error}); it is in faults.json.`);
});
