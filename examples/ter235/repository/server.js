// The smallest program with a health address: what App Platform's health check and Harbor Pilot ask.
const http = require("node:http");

const server = http.createServer((request, response) => {
  const healthy = request.url === "/api/health";
  response.writeHead(healthy ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(healthy ? { status: "ok" } : { error: "not found" }));
});

server.listen(Number(process.env.PORT ?? 3000));
