export class ServerPage extends HTMLElement {
  show() {}
}
