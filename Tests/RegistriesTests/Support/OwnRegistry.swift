import Images
import Synchronization

/// A registry of the tests' own that takes pushes, in memory, and gives `image` out as the repository `a`.
final class OwnRegistry: Sendable {
    private struct State {
        var uploads: [String: [UInt8]] = [:]
        /// By path.
        var stored: [String: [UInt8]] = [:]
    }

    private let paths: [String: (type: String, bytes: [UInt8])]
    private let state = Mutex(State())

    init(_ image: TestImage) { paths = image.paths }

    /// What a push has put there, by path.
    var stored: [String: [UInt8]] { state.withLock { $0.stored } }

    func answer(_ request: OwnServer.Request) -> [OwnServer.Step] {
        let path = String(request.path.prefix { $0 != "?" })
        if let (type, bytes) = paths[path] {
            return .answer(
                200, ["Content-Type": type, "Docker-Content-Digest": "\(Digest.of(bytes))"], bytes,
                isHead: request.method == "HEAD")
        }
        return state.withLock { Self.upload(request, path, &$0) }
    }

    private static func upload(_ request: OwnServer.Request, _ path: String, _ state: inout State) -> [OwnServer.Step] {
        switch request.method {
        case "POST":
            let location = "\(path)\(state.uploads.count)"
            state.uploads[location] = []
            return .answer(202, ["Location": location])
        case "PATCH":
            guard let before = state.uploads[path] else { return .answer(404) }
            guard request.headers["content-range"]?.hasPrefix("\(before.count)-") == true else { return .answer(416) }
            state.uploads[path] = before + request.body
            return .answer(202, ["Location": path, "Range": "0-\(before.count + request.body.count - 1)"])
        case "PUT":
            let digest =
                request.path.split(separator: "digest=").last
                .map { String($0.replacing("%3A", with: ":")) } ?? ""
            guard let before = state.uploads[path] else {
                state.stored[path] = request.body
                return .answer(201)
            }
            let bytes = before + request.body
            guard "\(Digest.of(bytes))" == digest else { return .answer(400) }
            state.stored[digest] = bytes
            return .answer(201)
        case "GET":
            guard let before = state.uploads[path] else { return .answer(404) }
            return .answer(204, ["Location": path, "Range": "0-\(max(before.count - 1, 0))"])
        default: return .answer(state.stored[path] == nil ? 404 : 200)
        }
    }
}
