export class UserPage extends HTMLElement {
  show() {}
}
