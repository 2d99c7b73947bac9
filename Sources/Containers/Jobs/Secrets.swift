import Linux
import Sandbox

extension SecretRequest {
    /// Reads the value as it is now.
    func load() throws(Failure) -> SecretFile {
        let value: SecretValue
        switch source {
        case .file(let path): value = try SecretValue(file: path, named: id)
        case .variable(let name): value = try SecretValue(variable: name, named: id)
        }
        return SecretFile(target: target, value: value, uid: uid, gid: gid, mode: mode)
    }
}

extension ContainerConfig {
    /// The container's secrets, read anew.
    func loadSecrets() throws(Failure) -> [SecretFile] {
        guard let requests = job?.secrets else { return [] }
        var files: [SecretFile] = []
        for request in requests { files.append(try request.load()) }
        return files
    }

    /// What the user should know of the secrets before the container starts.
    ///
    /// - Throws: For one that cannot be read.
    func checkSecrets() throws(Failure) -> [String] {
        guard let job else { return [] }
        var warnings: [String] = []
        for request in job.secrets {
            let value = try request.load().value
            if job.masksSecrets, SecretMask.hasUnmasked(value) {
                warnings.append(
                    "secret '\(request.id)' is empty or has lines of less than \(SecretMask.shortest) bytes: "
                        + "those are not masked")
            }
        }
        return warnings
    }
}
