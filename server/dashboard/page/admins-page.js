export class AdminsPage extends HTMLElement {
  show() {}
}
