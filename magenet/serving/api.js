// The reference of the REST API, made from its OpenAPI description; loads nothing else.

function make(kind, properties, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

const plain = (text = "") => text.replaceAll("`", "");

const description = await (await fetch("openapi.json")).json();

function resolved(schema) {
  const name = schema?.$ref?.split("/").at(-1);
  return name ? description.components.schemas[name] : schema;
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return [schema.type, schema.format].filter(Boolean).join(", ");
}

// A table of the fields of an object, those of objects in it below.
function fields(schema, seen = new Set()) {
  const object = resolved(schema.type === "array" ? schema.items : schema);
  if (!object?.properties || seen.has(object)) return [];
  seen.add(object);
  const lines = Object.entries(object.properties).map(([name, value]) => make("tr", {},
    make("td", {}, make("code", { textContent: name })), make("td", { textContent: typeOf(value) }),
    make("td", { textContent: plain(value.description) })));
  const inner = Object.values(object.properties).flatMap((value) => {
    const next = value.type === "array" ? value.items : value;
    return next.$ref ? [make("p", { textContent: `${typeOf(next)}:` }), ...fields(next, seen)] : [];
  });
  return [make("table", {}, make("tbody", {}, ...lines)), ...inner];
}

for (const [path, operations] of Object.entries(description.paths)) {
  for (const [method, { description: text, parameters = [], requestBody, responses }] of Object.entries(operations)) {
    const panel = make("section", { className: "panel" });
    panel.append(make("h2", {}, make("code", { textContent: `${method.toUpperCase()} ${path}` })), make("p", { textContent: plain(text) }));
    const given = parameters.filter(({ schema }) => schema.enum);
    for (const { name, schema } of given) panel.append(make("p", { textContent: `${name}: ${typeOf(schema)}` }));
    for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
      panel.append(make("h3", { textContent: `Body, ${type}` }), ...fields(schema));
    }
    for (const [code, { description: meaning, content = {} }] of Object.entries(responses)) {
      panel.append(make("h3", { textContent: `${code}: ${meaning}` }));
      for (const { schema } of Object.values(content)) if (schema && code < 400) panel.append(...fields(schema));
    }
    document.getElementById("operations").append(panel);
  }
}
document.body.dataset.ready = "";
