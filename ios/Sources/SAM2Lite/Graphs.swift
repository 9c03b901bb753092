// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import CoreML
import Foundation

/// The graphs of some rungs, loaded; every rung costs memory, so load those that are used.
public final class Graphs {
    public let manifest: Manifest
    public let rungs: [Int]
    private var models: [String: MLModel] = [:]

    /// Load `manifest.json` and the packages that Xcode compiled into an app's bundle.
    public init(bundle: Bundle = .main, rungs: [Int]? = nil) async throws {
        guard let file = bundle.url(forResource: "manifest", withExtension: "json") else {
            throw SAM2LiteError.bundle("manifest.json is not in the app; add it to the target")
        }
        manifest = try Manifest.decode(Data(contentsOf: file))
        self.rungs = (rungs ?? manifest.rungs).sorted()
        var keys = ["memory_select"]
        for rung in self.rungs {
            keys += ["image_encoder@\(rung)", "mask_decoder@\(rung)", "memory_encoder@\(rung)"]
        }
        for key in keys { models[key] = try await Self.load(key, manifest, bundle) }
    }

    /// Run one graph; what it gives may be fed to the next as it is.
    func run(_ key: String, _ inputs: [String: MLFeatureValue]) throws -> [String: MLFeatureValue] {
        guard let model = models[key] else { throw SAM2LiteError.bundle("\(key) is not loaded") }
        let given = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: inputs))
        var outputs: [String: MLFeatureValue] = [:]
        for name in given.featureNames { outputs[name] = given.featureValue(for: name) }
        return outputs
    }

    private static func load(
        _ key: String, _ manifest: Manifest, _ bundle: Bundle
    ) async throws -> MLModel {
        guard let graph = manifest.graphs[key],
            let url = bundle.url(forResource: graph.resource, withExtension: "mlmodelc")
        else { throw SAM2LiteError.bundle("\(key) is not in the app; add its .mlpackage") }
        let configuration = MLModelConfiguration()
        switch manifest.target.coreml.computeUnits(of: graph) {
        case "CPU_AND_NE": configuration.computeUnits = .cpuAndNeuralEngine
        case "CPU_AND_GPU": configuration.computeUnits = .cpuAndGPU
        case "CPU_ONLY": configuration.computeUnits = .cpuOnly
        default: configuration.computeUnits = .all
        }
        if let function = graph.function {
            guard #available(iOS 18, macOS 15, *) else {
                throw SAM2LiteError.bundle("this bundle is for iOS 18; export with --target ios17")
            }
            configuration.functionName = function
        }
        return try await MLModel.load(contentsOf: url, configuration: configuration)
    }
}

extension MLFeatureValue {
    static func floats(_ scalars: [Float], _ shape: [Int]) -> MLFeatureValue {
        MLFeatureValue(shapedArray: MLShapedArray(scalars: scalars, shape: shape))
    }
}

extension Dictionary where Key == String, Value == MLFeatureValue {
    /// An output as float32, row by row, however Core ML laid it out.
    func floats(_ name: String) throws -> [Float] {
        MLShapedArray<Float>(converting: try array(name)).scalars
    }

    func integers(_ name: String) throws -> [Int32] {
        MLShapedArray<Int32>(converting: try array(name)).scalars
    }

    private func array(_ name: String) throws -> MLMultiArray {
        guard let array = self[name]?.multiArrayValue else {
            throw SAM2LiteError.bundle("a graph did not give \(name)")
        }
        return array
    }
}
