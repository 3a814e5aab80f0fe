export class UsersPage extends HTMLElement {
  show() {}
}
