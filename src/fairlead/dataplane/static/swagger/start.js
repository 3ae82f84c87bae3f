SwaggerUIBundle({ url: "seldon.json", dom_id: "#api", deepLinking: true, tryItOutEnabled: true });
