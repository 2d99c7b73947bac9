public import Linux

/// Workspaces, artifacts and caches as the flags of `run` write them.
public enum JobSyntax {
    /// Reads `--workspace DIR[:PATH]`.
    public static func workspace(_ text: String, _ surroundings: Surroundings) throws(Failure) -> WorkspaceRequest {
        let parts = text.parts(between: ":")
        guard parts.count <= 2, !parts.contains("") else {
            throw Values.failure(text, "not a workspace", remedy: "give DIR or DIR:PATH")
        }
        let destination = parts.count == 2 ? try MountSyntax.destination(parts[1], in: text) : "/workspace"
        return WorkspaceRequest(source: surroundings.absolute(parts[0]), destination: destination)
    }

    /// Reads `--artifact GLOB:DIRECTORY`; a glob that is not absolute begins at the working directory.
    public static func artifact(_ text: String, _ surroundings: Surroundings) throws(Failure) -> ArtifactRequest {
        let remedy = "give GLOB:DIRECTORY, such as 'build/**/*.xml:reports'"
        guard let (pattern, directory) = text.sides(ofLast: ":"), !pattern.isEmpty, !directory.isEmpty else {
            throw Values.failure(text, "not an artifact", remedy: remedy)
        }
        let names = pattern.parts(between: "/").filter { !$0.isEmpty && $0 != "." }
        if names.contains("..") { throw Values.failure(text, "'..' in a path in the container", remedy: remedy) }
        if names.isEmpty { throw Values.failure(text, "all of the root is no artifact", remedy: "use 'apus export'") }
        return ArtifactRequest(pattern: pattern, destination: surroundings.absolute(directory))
    }

    /// Reads `--cache NAME:DIR[:MODE]`.
    public static func cache(_ text: String) throws(Failure) -> CacheRequest {
        let parts = text.parts(between: ":")
        guard parts.count == 2 || parts.count == 3 else {
            throw Values.failure(text, "not a cache", remedy: "give NAME:DIR or NAME:DIR:MODE")
        }
        guard Names.isValid(parts[0]) else {
            throw Values.failure(text, "'\(parts[0])' is not a name", remedy: Names.remedy)
        }
        var mode = CacheRequest.Mode.locked
        if parts.count == 3 {
            guard let named = CacheRequest.Mode(rawValue: parts[2] == "cow" ? "copy-on-write" : parts[2]) else {
                throw Values.failure(
                    text, "unknown mode '\(parts[2])'", remedy: "give locked, shared or copy-on-write (cow)")
            }
            mode = named
        }
        return CacheRequest(name: parts[0], destination: try MountSyntax.destination(parts[1], in: text), mode: mode)
    }
}
