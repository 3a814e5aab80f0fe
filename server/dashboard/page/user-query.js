// Which users are asked for. The question stands in the URL, in the names of
// admin.users.list.

/** The parts of a filter that are texts, and those that are yes or no. */
export const TEXTS = ["username", "email", "group"];
export const FLAGS = ["active", "pending", "banned", "online"];

/** Every part of a question, as it stands in the URL. */
export const PARTS = ["scope", ...TEXTS, ...FLAGS, "orderby"];

/** The question of URL parameters, as admin.users.list takes it. Flags are "yes" or "no". */
export function queryOf(params) {
  const filter = {};
  for (const name of TEXTS) {
    const text = params.get(name)?.trim();
    if (text) filter[name] = text;
  }
  for (const name of FLAGS) {
    const flag = params.get(name);
    if (flag === "yes" || flag === "no") filter[name] = flag === "yes";
  }
  const query = { scope: params.get("scope") ?? "", orderby: params.get("orderby") === "created_at" ? "created_at" : "username" };
  if (Object.keys(filter).length > 0) query.filter = filter;
  return query;
}

/** Whether a question narrows the scope's users at all. */
export const narrows = (query) => query.filter !== undefined;
