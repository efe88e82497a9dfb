// What a request is about: the path and query of an HTTP request, taken apart.

/** A path of the resource API. `resource` is the plural, subresource '' for the object itself. */
export interface RequestInfo {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** Only these paths have a group, a version and maybe a resource. */
  readonly isApi: boolean
  readonly group: string
  readonly version: string
  readonly namespace: string
  readonly resource: string
  readonly name: string
  readonly subresource: string
  readonly isWatch: boolean
  /** Kubernetes' verb of a resource request, else the method in lower case. */
  readonly verb: string
}

/** Takes a request line apart. Any path gives an answer; unknown ones are just not of the API. */
export function parseRequest(method: string, url: string): RequestInfo {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const [root, ...rest] = path
    .split('/')
    .filter((step) => step !== '')
    .map(decodeStep)
  const isApi = root === 'api' || root === 'apis'
  const [group = '', version = '', ...steps] = root === 'api' ? ['', ...rest] : rest
  const place = isApi ? locate(steps) : NOWHERE
  const watch = query.get('watch')
  const isWatch = method === 'GET' && (watch === 'true' || watch === '1')
  const verb = place.resource === '' ? method.toLowerCase() : verbOf(method, place.name, isWatch)
  return { method, path, query, isApi, group, version, ...place, isWatch, verb }
}

interface Place {
  readonly namespace: string
  readonly resource: string
  readonly name: string
  readonly subresource: string
}

const NOWHERE: Place = { namespace: '', resource: '', name: '', subresource: '' }

/** `namespaces/x` is an object of its own, `namespaces/x/services` a place inside it. */
function locate(steps: readonly string[]): Place {
  const [first = '', second = '', third = ''] = steps
  const isInside =
    first === 'namespaces' && third !== '' && third !== 'status' && third !== 'finalize'
  const [resource = '', name = '', subresource = ''] = isInside ? steps.slice(2) : steps
  return { namespace: isInside ? second : '', resource, name, subresource }
}

function verbOf(method: string, name: string, isWatch: boolean): string {
  switch (method) {
    case 'GET':
      if (isWatch) return 'watch'
      return name === '' ? 'list' : 'get'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete'
    default:
      return method.toLowerCase()
  }
}

function decodeStep(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    return step
  }
}
