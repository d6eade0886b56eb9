// ---- Start
new ResizeObserver(() => move(view.scale, view.x, view.y)).observe(stage);
if (!entries.length) tell("No photographs");
for (const id of ["table", "decide", "decide-all"]) $(id).hidden = !entries.length;
for (const entry of entries) recall(entry);
countDecisions();
arrange();
