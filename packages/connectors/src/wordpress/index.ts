export {
  WordPress,
  WordPressError,
  type PostContent,
  type RemotePost,
  type WordPressSite,
} from './wordpress.js';
