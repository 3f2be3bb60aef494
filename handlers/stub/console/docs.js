// Shows the documents with Swagger UI. None of them leaves this machine.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    dom_id: "#documents",
    urls: [
      { name: "The contract", url: "../openapi.yaml" },
      { name: "The contract, as OpenAPI 3.1", url: "../openapi-3.1.yaml" },
      { name: "The control plane", url: "../control.yaml" },
    ],
    layout: "StandaloneLayout",
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    validatorUrl: null,
    // Read only: the route takes base64 of JSON, which the console's form encodes.
    supportedSubmitMethods: [],
  });
});
