// The dialog that creates a user.
import { ask } from "./dialog.js";
import { field, h } from "./dom.js";
import { credentials, passwordFields } from "./new-password.js";

/** Resolves to {user_id} of the user who was created, or to undefined. */
export function userDialog(session, scope) {
  const input = (props) => h("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false", ...props });
  return ask({
    title: `Create a user in ${scope}`,
    confirm: "Create",
    body: [
      field("Username", input({ name: "username", maxlength: 64 }), "Left empty, one is made up."),
      passwordFields({ hint: "Left empty, the user can't log in by password until a reset." }),
      field("Email", input({ name: "email", type: "email", maxlength: 254 })),
      field("Group", input({ name: "group", maxlength: 64 })),
    ],
    async act(data) {
      const params = { scope, ...await credentials(scope, data.get("password")) };
      for (const name of ["username", "email", "group"]) {
        const text = data.get(name).trim();
        if (text) params[name] = text;
      }
      return session.admin.users.create(params);
    },
  });
}
