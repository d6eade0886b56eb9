// ---- Keys

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input")) return;
  const onHandle = event.target === handle;
  const inTable = $("table").contains(event.target);
  const always = {
    n: () => step(1), p: () => step(-1), u: toggle, 0: () => move(1, 0, 0),
    a: () => choose("accept"), r: () => choose("reject"), e: () => $("note").focus(),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5),
  };
  const panning = {
    ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0),
    ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
  };
  const sideways = { ArrowLeft: () => slide(share - 2), ArrowRight: () => slide(share + 2) };
  const sliding = {
    ...sideways, ArrowUp: sideways.ArrowRight, ArrowDown: sideways.ArrowLeft,
    PageUp: () => slide(share + 10), PageDown: () => slide(share - 10),
    Home: () => slide(0), End: () => slide(100),
  };
  const rows = { ArrowUp: () => step(-1), ArrowDown: () => step(1) };
  const actions = event.shiftKey && view.scale > 1 ? panning : onHandle ? sliding : inTable ? rows : sideways;
  const key = event.key.toLowerCase();
  if (key.length === 1 && !$("letters").checked) return;  // for who speaks to the computer, or types by accident
  const act = actions[event.key] ?? always[key];
  if (!act) return;
  event.preventDefault();
  if (event.repeat && "areu".includes(key)) return;  // a key that is held must not decide again and again
  act();
});

