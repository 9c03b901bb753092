// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import Foundation

/// What an app may have to tell its user or its developer.
public enum SAM2LiteError: Error, Equatable {
    case prompt(String)
    case bundle(String)
    case state(String)
}

/// The part of `manifest.json` that the loop reads; docs/bundle.md describes the whole file.
public struct Manifest: Codable {
    public struct Target: Codable {
        public let id: String
        public let coreml: CoreML
    }

    public struct CoreML: Codable {
        /// Where graphs that rank, and others, may run, as coremltools calls it: `CPU_AND_NE`.
        public let computeUnits: [String: String]

        public func computeUnits(of graph: Graph) -> String? {
            computeUnits[graph.ranks ? "ranks" : "others"]
        }

        enum CodingKeys: String, CodingKey {
            case computeUnits = "compute_units"
        }
    }

    public struct Memory: Codable {
        public let budget: Int
        public let tokensPerFrame: Int
        public let channels: Int
        public let windowMax: Int
        public let windowSavesTime: Bool

        enum CodingKeys: String, CodingKey {
            case budget, channels
            case tokensPerFrame = "tokens_per_frame"
            case windowMax = "window_max"
            case windowSavesTime = "window_saves_time"
        }
    }

    public struct Graph: Codable {
        public let name: String
        /// Whether it ends in a choice among candidates.
        public let ranks: Bool
        /// The package's folder in the bundle; Xcode compiles it to a `.mlmodelc` of the same name.
        public let file: String
        /// Which function of the package; nil where a package is one graph.
        public let function: String?

        public var resource: String {
            URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
        }
    }

    public let schemaVersion: Int
    public let backend: String
    public let target: Target
    public let rungs: [Int]
    public let graphs: [String: Graph]
    public let memory: Memory

    enum CodingKeys: String, CodingKey {
        case schemaVersion = "schema_version"
        case backend, target, rungs, graphs, memory
    }

    /// Read the text of a manifest of the backend `coreml`.
    public static func decode(_ data: Data) throws -> Manifest {
        struct Version: Codable {
            let schema_version: Int
            let backend: String
        }
        let head = try JSONDecoder().decode(Version.self, from: data)
        guard head.schema_version == 2, head.backend == "coreml" else {
            throw SAM2LiteError.bundle(
                "schema \(head.schema_version), backend \(head.backend); this reads 2, coreml")
        }
        return try JSONDecoder().decode(Manifest.self, from: data)
    }
}

/// Numbers of sam2lite/contracts/loop.py.
public enum Contract {
    public static let promptSlots = 8
    public static let maskCandidates = 4
    public static let tokensPerFrame = 32
    public static let channels = 256
    public static let maskedBias: Float = -1.0e4
    public static let metaColumns = 5
    public static let ageHorizonFrames = 255
    public static let windowMin = 2
    public static let windowMax = 8
    public static let maxObjects = 16
}
