public import Linux

/// Secrets as `--secret` writes them.
public enum SecretSyntax {
    private static let remedy =
        "give id=NAME,src=FILE or id=NAME,env=VARIABLE, and target=, uid=, gid=, mode= as needed"

    /// Reads `id=NAME,src=FILE[,target=PATH][,uid=NUMBER][,gid=NUMBER][,mode=OCTAL]`, or `env=VARIABLE` for `src=`.
    public static func secret(_ text: String, _ surroundings: Surroundings) throws(Failure) -> SecretRequest {
        var request = SecretRequest(id: "", source: .file(path: ""), target: "")
        var hasSource = false
        for field in try MountSyntax.commaSeparated(text) {
            let (key, value) = try Assignments.split(field)
            guard let value, !value.isEmpty else {
                throw Values.failure(text, "'\(key)' without a value", remedy: remedy)
            }
            switch key {
            case "id": request.id = value
            case "src", "source", "env":
                if hasSource { throw Values.failure(text, "two sources of one value", remedy: remedy) }
                hasSource = true
                request.source = key == "env" ? .variable(name: value) : .file(path: surroundings.absolute(value))
            case "target", "dst", "destination": request.target = value
            case "uid": request.uid = try Values.integer(value, in: 0...UInt32.max - 1)
            case "gid": request.gid = try Values.integer(value, in: 0...UInt32.max - 1)
            case "mode": request.mode = try Values.mode(value)
            default: throw Values.failure(text, "unknown key '\(key)'", remedy: remedy)
            }
        }
        guard isFileName(request.id) else {
            throw Values.failure(
                text, request.id.isEmpty ? "no id" : "'\(request.id)' cannot be an id", remedy: idRemedy)
        }
        if !hasSource { throw Values.failure(text, "no source", remedy: remedy) }
        let target = request.target.isEmpty ? request.id : request.target
        request.target = try MountSyntax.destination(
            target.isAbsolutePath ? target : "\(SecretRequest.directory)/\(target)", in: text)
        return request
    }

    private static let idRemedy = "use letters, digits, '_', '.' and '-', 64 at most, the first no '.' or '-'"

    private static func isFileName(_ id: String) -> Bool {
        guard let first = id.utf8.first, id.utf8.count <= 64, first != UInt8(ascii: "."), first != UInt8(ascii: "-")
        else { return false }
        return id.utf8.allSatisfy {
            Names.isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
    }
}
